"""The append-only, hash-chained log of who did what. Written in the caller's transaction."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from sqlalchemy import func, select, text

from portal import after_commit, clock
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AuditEvent

GENESIS = b"\0" * 32
CHAIN_LOCK = text("SELECT pg_advisory_xact_lock(8101, hashtext(:tenant))")
CHAINED = (
    "tenant_id",
    "position",
    "at",
    "event",
    "user_id",
    "true_user_id",
    "source",
    "visit_id",
    "request_id",
    "subject_type",
    "subject_id",
    "details",
)


def record(
    actor: Actor, event: str, subject_type: str, subject_id: int | None = None, **details: Any
) -> AuditEvent:
    """Appends one event (past participle, such as `payment.recorded`) with JSON-able details.

    An API key has no user: its name and the start of its secret stand in the details as `api_key`.
    """
    tenant_id = current_tenant_id()
    if actor.api_key:
        details["api_key"] = actor.api_key
    db.session.execute(CHAIN_LOCK, {"tenant": str(tenant_id)})
    last = db.session.execute(
        select(AuditEvent.position, AuditEvent.hash)
        .where(AuditEvent.tenant_id == tenant_id)
        .order_by(AuditEvent.position.desc())
        .limit(1)
    ).first()
    row = AuditEvent(
        tenant_id=tenant_id,
        position=(last.position if last else 0) + 1,
        at=clock.now(),
        event=event,
        user_id=actor.user_id,
        true_user_id=actor.true_user_id,
        source=actor.source,
        visit_id=actor.visit_id,
        request_id=actor.request_id,
        subject_type=subject_type,
        subject_id=subject_id,
        details=json.loads(json.dumps(details, default=str)),
        previous_hash=last.hash if last else GENESIS,
    )
    row.hash = chain_hash(row)
    db.session.add(row)
    db.session.flush()
    about = {f"{subject_type}_id": subject_id} if subject_id is not None else {}
    after_commit.say(event, tenant_id=tenant_id, audit_position=row.position, source=row.source, **about)
    return row


def chain_hash(row: AuditEvent) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON of the row."""
    body = {name: getattr(row, name) for name in CHAINED}
    body["at"] = row.at.timestamp()
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(bytes(row.previous_hash) + canonical.encode()).digest()


def first_break() -> int | None:
    """The position of the first event of this partner that does not fit the chain, or None."""
    in_order = scoped(AuditEvent).order_by(AuditEvent.position).execution_options(yield_per=500)
    with closing(db.session.scalars(in_order)) as rows:
        return _first_misfit(rows)


def _first_misfit(rows: Iterable[AuditEvent]) -> int | None:
    previous, expected = GENESIS, 1
    for row in rows:
        broken = row.position != expected or bytes(row.previous_hash) != previous
        if broken or bytes(row.hash) != chain_hash(row):
            return row.position
        previous, expected = bytes(row.hash), expected + 1
    return None


def length() -> int:
    """How many events this partner's chain holds."""
    return (
        db.session.scalar(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.tenant_id == current_tenant_id())
        )
        or 0
    )
