"""The append-only, hash-chained, signed log of staff's own doings. Written in the caller's transaction.

How far it goes, its head, is signed too and stands in a table of its own, as a partner's does (docs/audit.md).
"""

import hmac
import json
from contextlib import closing
from datetime import UTC
from typing import Any

import structlog
from sqlalchemy import select, text

from portal import clock
from portal.access import audit_chain
from portal.access.actor import Actor
from portal.access.audit_chain import Misfit, Verdict
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.logs import after_commit
from portal.models import StaffEvent, StaffHead

log = structlog.get_logger(__name__)
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
        _move_head(row, last.position if last else 0)
        db.session.flush()
    after_commit.say(event, staff_head=_told(row))
    return row


def _move_head(row: StaffEvent, before: int) -> None:
    """Only a head that is ours and that the log holds moves on: what was cut off before stays visible."""
    head = _head()
    if head is None and before == 0:
        head = StaffHead(id=1, since=row.at)
        db.session.add(head)
    elif head is None or not _is_ours(head) or not _holds(head):
        log.error("audit.head_does_not_fit", position=row.position, head=head.position if head else None)
        return
    sign(head, row.position, bytes(row.hash))


def sign(head: StaffHead, position: int, hash_: bytes) -> None:
    head.position, head.hash, head.signed_by = position, hash_, audit_chain.newest_key()
    head.signature = _signature(head)


def verdict(told: str = "") -> Verdict:
    """Reads the whole log and its head; `told` is a `position:hash` from the process logs, which it has to hold."""
    found = Verdict()
    with people_scope():
        head = _head()
        in_order = select(StaffEvent).order_by(StaffEvent.position)
        fresh = in_order.execution_options(populate_existing=True, yield_per=500)
        try:
            with closing(db.session.scalars(fresh)) as rows:
                _check_rows(rows, head, told, found)
            _check_ends(head, told, found.events)
        except Misfit as misfit:
            found.broken_at, found.why = misfit.position, misfit.why
    if head is not None:
        found.head = _told(head)
    return found


def _check_rows(rows: Any, head: StaffHead | None, told: str, found: Verdict) -> None:
    previous, (told_position, _, told_hash) = audit_chain.GENESIS, told.partition(":")
    for row in rows:
        found.events += 1
        if row.position != found.events or bytes(row.previous_hash) != previous:
            raise Misfit(found.events, "It does not follow the event before it.")
        if not _fits(row):
            raise Misfit(row.position, "It is not what was written.")
        previous = bytes(row.hash)
        if str(row.position) == told_position and previous.hex() != told_hash:
            raise Misfit(row.position, "It is not the one that the process logs told.")
        if head is not None and row.position == head.position and previous != bytes(head.hash):
            raise Misfit(row.position, "It is not the one that the head names.")
        if head is not None and row.position > head.position:
            if row.at > head.since + audit_chain.OVERLAP:
                raise Misfit(
                    row.position, f"The head ends at {head.position}: it was put back to an older one."
                )
            found.unsigned += 1


def _check_ends(head: StaffHead | None, told: str, events: int) -> None:
    position = told.partition(":")[0]
    if position.isdecimal() and int(position) > events:
        raise Misfit(events + 1, f"The process logs told of {position} events: its end was cut off.")
    if head is None:
        if events:
            raise Misfit(events, "Its head is missing. It has one from the first event on.")
        return
    if not _is_ours(head):
        raise Misfit(head.position, "Its head does not carry our signature.")
    if events < head.position:
        gone = head.position - events
        raise Misfit(events + 1, f"{gone} events at its end are missing: the head counts {head.position}.")


def not_signed(number: int) -> str:
    """What is said of events past the head that nobody has to worry about."""
    written = "event at its end was" if number == 1 else "events at its end were"
    return f"{number} {written} written by the release before, and the next one signs {'it' if number == 1 else 'them'}"


def _head() -> StaffHead | None:
    return db.session.scalar(select(StaffHead).execution_options(populate_existing=True))


def _holds(head: StaffHead) -> bool:
    hash_ = db.session.scalar(select(StaffEvent.hash).where(StaffEvent.position == head.position))
    return hash_ is not None and bytes(hash_) == bytes(head.hash)


def _is_ours(head: StaffHead) -> bool:
    try:
        return hmac.compare_digest(bytes(head.signature), _signature(head))
    except KeyError:  # signed by a key that is not ours
        return False


def _signature(head: StaffHead) -> bytes:
    since = head.since.astimezone(UTC).isoformat()
    message = f"{head.position} {bytes(head.hash).hex()} {since}"
    return audit_chain.signed(head.signed_by, b"staff head", message.encode())


def _fits(row: StaffEvent) -> bool:
    try:
        return hmac.compare_digest(bytes(row.hash), _hash(row))
    except KeyError:  # signed by a key that is not ours
        return False


def _hash(row: StaffEvent) -> bytes:
    body = {name: getattr(row, name) for name in CHAINED} | {"at": row.at.timestamp()}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return audit_chain.signed(row.signed_by, b"staff", bytes(row.previous_hash) + canonical.encode())


def _told(row: StaffEvent | StaffHead) -> str:
    """What the logs tell of its end, where nobody with the database alone can reach it."""
    return f"{row.position}:{bytes(row.hash).hex()}"
