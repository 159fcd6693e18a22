"""The append-only, hash-chained log of who did what. Written in the caller's transaction."""

import json
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.access import audit_chain
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.logs import after_commit
from portal.models import AuditEvent, AuditHead

log = structlog.get_logger(__name__)
CHAIN_LOCK = text("SELECT pg_advisory_xact_lock(8101, hashtext(:tenant))")
SIGNED = ("signed_by", "signature")
# One row, also where the log or its head is empty; `held`: the event that the head names is still there.
LAST = text("""
    SELECT e.position, e.hash, h.position AS head_position, h.hash AS head_hash, h.since, h.signed_by, h.signature,
        EXISTS (SELECT FROM audit_event
            WHERE tenant_id = t.id AND position = h.position AND hash = h.hash) AS held
    FROM tenant t
    LEFT JOIN LATERAL (SELECT position, hash FROM audit_event WHERE tenant_id = t.id
        ORDER BY position DESC LIMIT 1) e ON true
    LEFT JOIN audit_head h ON h.tenant_id = t.id
    WHERE t.id = :tenant_id""")


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
    last = db.session.execute(LAST, {"tenant_id": tenant_id}).one()
    row = AuditEvent(
        tenant_id=tenant_id,
        position=(last.position or 0) + 1,
        at=clock.now(),
        event=event,
        **_of(actor),
        subject_type=subject_type,
        subject_id=subject_id,
        details=json.loads(json.dumps(details, default=str)),
        previous_hash=last.hash or audit_chain.GENESIS,
        signed_by=audit_chain.newest_key(),
    )
    row.hash = audit_chain.event_hash(row)
    db.session.add(row)
    db.session.flush()
    _move_head(row, last)
    about = {f"{subject_type}_id": subject_id} if subject_id is not None else {}
    after_commit.say(event, tenant_id=tenant_id, audit_head=_head(row), source=row.source, **about)
    return row


def _of(actor: Actor) -> dict[str, Any]:
    """Who acts, in the columns of an event."""
    return {
        "user_id": actor.user_id,
        "true_user_id": actor.true_user_id,
        "source": actor.source,
        "visit_id": actor.visit_id,
        "request_id": actor.request_id,
    }


def _move_head(row: AuditEvent, last: Any) -> None:
    """Signs how far the log goes now. What was cut off before stays visible: a head never follows it back."""
    if not _head_fits(row.tenant_id, last):
        log.error("audit.head_does_not_fit", position=row.position, head=last.head_position)
        return
    head = audit_chain.new_head(row.tenant_id, row.position, bytes(row.hash), last.since or row.at)
    values = {name: getattr(head, name) for name in ("tenant_id", "position", "hash", "since", *SIGNED)}
    moved = {name: values[name] for name in ("position", "hash", *SIGNED)}
    db.session.execute(
        insert(AuditHead).values(values).on_conflict_do_update(index_elements=["tenant_id"], set_=moved)
    )


def _head_fits(tenant_id: int, last: Any) -> bool:
    """Only a head that is ours and is held by the log moves on: a cut must not be covered by what comes after it."""
    if last.head_position is None:
        return last.position is None
    head = AuditHead(
        tenant_id=tenant_id,
        position=last.head_position,
        hash=last.head_hash,
        since=last.since,
        signed_by=last.signed_by,
        signature=last.signature,
    )
    return last.held and audit_chain.is_ours(head)


def _head(row: AuditEvent) -> str:
    """What the logs tell of the log's end, where nobody with the database alone can reach it."""
    return f"{row.position}:{bytes(row.hash).hex()}"


def first_break() -> int | None:
    """The position of the first event of this partner that does not fit the chain or its head, or None."""
    return audit_chain.verdict().broken_at
