"""Opening and closing what a person must look at: one open item per record and cause (rule 3.4)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.access.tenancy import current_tenant_id
from portal.extensions import db, rows_written
from portal.models import Cause, ExceptionItem, ExceptionState

# Literal, not a parameter: a prepared statement could not tell that the partial index fits.
IS_OPEN = text("state = 'open'")

# These last until somebody acts; the others are events, which count each time.
STANDING = set(Cause) - {
    Cause.SYNC_FAILED,
    Cause.DELIVERY_PARKED,
    Cause.DELIVERY_REFUSED,
    Cause.NOT_CLEARED,
}
CLOSED_BY_ITSELF = "Closed by itself: both sides are in order again."


def open_item(
    cause: Cause,
    subject_type: str,
    subject_key: str,
    *,
    label: str,
    detail: str,
    ours: dict[str, Any] | None = None,
    theirs: dict[str, Any] | None = None,
    invoice_id: int | None = None,
    run_id: int | None = None,
) -> None:
    """Opens the item, or counts another sighting of the one that is open and refreshes its texts.

    What a person resolved stays closed while both sides say the same as then.
    """
    if cause in STANDING and _was_decided(cause, subject_type, subject_key, ours or {}, theirs or {}):
        return
    values = {"label": label, "detail": detail, "ours": ours or {}, "theirs": theirs or {}, "run_id": run_id}
    _upsert(cause, subject_type, subject_key, values, invoice_id)


def _upsert(
    cause: Cause, subject_type: str, subject_key: str, refreshed: dict[str, Any], invoice_id: int | None
) -> None:
    statement = insert(ExceptionItem).values(
        tenant_id=current_tenant_id(),
        cause=cause,
        subject_type=subject_type,
        subject_key=subject_key,
        invoice_id=invoice_id,
        **refreshed,
    )
    seen_again = {"times_seen": ExceptionItem.times_seen + 1, "last_seen_at": func.now()}
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "cause", "subject_type", "subject_key"],
            index_where=IS_OPEN,
            set_={name: statement.excluded[name] for name in refreshed} | seen_again,
        )
    )


def _was_decided(
    cause: Cause, subject_type: str, subject_key: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> bool:
    last = db.session.execute(
        select(ExceptionItem.state, ExceptionItem.resolved_by_id, ExceptionItem.ours, ExceptionItem.theirs)
        .where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.cause == cause,
            ExceptionItem.subject_type == subject_type,
            ExceptionItem.subject_key == subject_key,
        )
        .order_by(ExceptionItem.id.desc())
        .limit(1)
    ).first()
    if last is None or last.state != ExceptionState.RESOLVED or last.resolved_by_id is None:
        return False
    return (last.ours, last.theirs) == (ours, theirs)


def open_keys(*causes: Cause) -> dict[Cause, dict[str, set[str]]]:
    """Of each cause: kind of record to the keys of those that have an open item. One query."""
    found: dict[Cause, dict[str, set[str]]] = {cause: {} for cause in causes}
    rows = db.session.execute(
        select(ExceptionItem.cause, ExceptionItem.subject_type, ExceptionItem.subject_key).where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.cause.in_(causes),
            ExceptionItem.state == ExceptionState.OPEN,
        )
    )
    for row in rows:
        found[Cause(row.cause)].setdefault(row.subject_type, set()).add(row.subject_key)
    return found


def close_items(
    cause: Cause, subject_type: str, subject_keys: Sequence[str], resolution: str = CLOSED_BY_ITSELF
) -> int:
    """Closes the open items of these records; how many there were."""
    if not subject_keys:
        return 0
    return rows_written(
        update(ExceptionItem)
        .where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.cause == cause,
            ExceptionItem.subject_type == subject_type,
            ExceptionItem.subject_key.in_(subject_keys),
            ExceptionItem.state == ExceptionState.OPEN,
        )
        .values(state=ExceptionState.RESOLVED, resolved_at=clock.now(), resolution=resolution)
    )


def close_all(cause: Cause, resolution: str) -> int:
    """Closes every open item of a cause that has no meaning any more; how many there were."""
    return rows_written(
        update(ExceptionItem)
        .where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.cause == cause,
            ExceptionItem.state == ExceptionState.OPEN,
        )
        .values(state=ExceptionState.RESOLVED, resolved_at=clock.now(), resolution=resolution)
    )
