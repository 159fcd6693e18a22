"""The append-only, hash-chained, signed log of staff's own doings. Written in the caller's transaction."""

import hmac
import json
from typing import Any

from sqlalchemy import select, text

from portal import clock
from portal.access import audit_chain
from portal.access.actor import Actor
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.logs import after_commit
from portal.models import StaffEvent

CHAIN_LOCK = text("SELECT pg_advisory_xact_lock(8102)")
CHAINED = ("position", "at", "event", "user_id", "partner_id", "request_id", "details")


def record(actor: Actor, event: str, *, partner_id: int | None = None, **details: Any) -> StaffEvent:
    """Appends one event with JSON-able details; an operator's command has no user. In any scope."""
    db.session.flush()
    with people_scope():
        db.session.execute(CHAIN_LOCK)
        last = db.session.execute(
            select(StaffEvent.position, StaffEvent.hash).order_by(StaffEvent.position.desc()).limit(1)
        ).first()
        row = StaffEvent(
            position=last.position + 1 if last else 1,
            at=clock.now(),
            event=event,
            user_id=actor.true_user_id,
            partner_id=partner_id,
            request_id=actor.request_id,
            details=json.loads(json.dumps(details, default=str)),
            previous_hash=last.hash if last else audit_chain.GENESIS,
            signed_by=audit_chain.newest_key(),
        )
        row.hash = _hash(row)
        db.session.add(row)
        db.session.flush()
    after_commit.say(event, staff_head=f"{row.position}:{row.hash.hex()}")
    return row


def first_break(head: str = "") -> int | None:
    """The position of the first event that does not fit, or None; `head` is a `position:hash` from the logs.

    What was cut off at the end is missed by such a head alone.
    """
    previous, position = audit_chain.GENESIS, 0
    position_told, _, hash_told = head.partition(":")
    with people_scope():
        for row in db.session.scalars(
            select(StaffEvent).order_by(StaffEvent.position).execution_options(populate_existing=True)
        ):
            position += 1
            told = hash_told if str(row.position) == position_told else ""
            if row.position != position or bytes(row.previous_hash) != previous or not _fits(row, told):
                return position
            previous = bytes(row.hash)
    return position + 1 if position_told and int(position_told) > position else None


def _fits(row: StaffEvent, told: str) -> bool:
    try:
        return hmac.compare_digest(bytes(row.hash), _hash(row)) and told in ("", bytes(row.hash).hex())
    except KeyError:  # signed by a key that is not ours
        return False


def _hash(row: StaffEvent) -> bytes:
    body = {name: getattr(row, name) for name in CHAINED} | {"at": row.at.timestamp()}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return audit_chain.signed(row.signed_by, b"staff", bytes(row.previous_hash) + canonical.encode())
