"""How far each resource has been read completely. A cursor moves last, in the transaction that completes the run."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import SyncCursor

# Autotask's clock may be minutes away from ours, and rule 3.5 asks for the last hour at least.
OVERLAP = timedelta(minutes=15)
SHORTEST_WINDOW = timedelta(hours=1)
# Invoice ids can appear out of order.
OVERLAP_IDS = 100


class Cursor(NamedTuple):
    """How far one resource has been read; `completed_at` is None where it must be read completely."""

    read_until: datetime | None
    completed_at: datetime | None
    last_id: int | None = None


def of(integration_id: int) -> dict[str, Cursor]:
    """Resource name to cursor."""
    rows = db.session.execute(
        select(SyncCursor.resource, SyncCursor.read_until, SyncCursor.completed_at, SyncCursor.last_id).where(
            SyncCursor.tenant_id == current_tenant_id(), SyncCursor.integration_id == integration_id
        )
    )
    return {row.resource: Cursor(*row[1:]) for row in rows}


def window_from(cursor: Cursor | None, now: datetime) -> datetime | None:
    """From when on to ask for what was modified; None when everything must be read."""
    if cursor is None or cursor.completed_at is None or cursor.read_until is None:
        return None
    return min(cursor.read_until - OVERLAP, now - SHORTEST_WINDOW)


def move(integration_id: int, read: dict[str, tuple[datetime, int | None]]) -> None:
    """Says, by resource, that everything up to a time (and an id) is here."""
    if not read:
        return
    where = {"tenant_id": current_tenant_id(), "integration_id": integration_id}
    statement = insert(SyncCursor).values(
        [
            {
                **where,
                "resource": resource,
                "read_until": read_until,
                "last_id": last_id,
                "completed_at": func.clock_timestamp(),
            }
            for resource, (read_until, last_id) in read.items()
        ]
    )
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "integration_id", "resource"],
            set_={
                "read_until": statement.excluded.read_until,
                "last_id": func.greatest(SyncCursor.last_id, statement.excluded.last_id),
                "completed_at": statement.excluded.completed_at,
            },
        )
    )


def forget(integration_id: int, *resources: str) -> None:
    """Makes the next run read these resources completely, because of new filters or an unfinished full read."""
    where = [SyncCursor.tenant_id == current_tenant_id(), SyncCursor.integration_id == integration_id]
    if resources:
        where.append(SyncCursor.resource.in_(resources))
    db.session.execute(update(SyncCursor).where(*where).values(completed_at=None))
