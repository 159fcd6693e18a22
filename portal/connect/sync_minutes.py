"""When a partner's syncs are due: its own stable minute and hour, so that load is spread (rule 3.1)."""

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.extensions import db
from portal.models import SCHEDULED, Integration, SyncKind, SyncSchedule

PDFS_AFTER = 10  # minutes after new invoices, so that their PDFs are known


def own_time(tenant_id: int) -> tuple[int, int]:
    """(minute, hour) of a partner: the same for ever, and spread evenly over partners."""
    number = int.from_bytes(hashlib.sha256(f"sync of partner {tenant_id}".encode()).digest()[:8])
    return number % 60, number // 60 % 24


def next_due(integration: Integration, kind: str, after: datetime) -> datetime:
    """The first time after an instant at which a kind is due: hourly, unpaid invoices daily, customers weekly (UTC)."""
    if kind == SyncKind.CUSTOMERS:
        return next_due(integration, SyncKind.UNPAID, after + timedelta(days=6))
    minute = (integration.sync_minute + (PDFS_AFTER if kind == SyncKind.PDFS else 0)) % 60
    start = after.astimezone(UTC).replace(minute=minute, second=0, microsecond=0)
    if kind == SyncKind.UNPAID:
        start = start.replace(hour=integration.sync_hour)
        return start if start > after else start + timedelta(days=1)
    return start if start > after else start + timedelta(hours=1)


def plan(integration: Integration) -> None:
    """The schedule's rows of a connected integration; those that exist stay. The caller commits."""
    now = clock.now()
    db.session.execute(
        insert(SyncSchedule)
        .values(
            [
                {
                    "tenant_id": integration.tenant_id,
                    "integration_id": integration.id,
                    "kind": kind.value,
                    "next_due_at": next_due(integration, kind, now),
                }
                for kind in SCHEDULED
            ]
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "integration_id", "kind"])
    )


def put_off(integration: Integration, kind: str) -> None:
    """A kind that is started now is due at its next time again. The caller commits."""
    db.session.execute(
        update(SyncSchedule)
        .where(
            SyncSchedule.tenant_id == integration.tenant_id,
            SyncSchedule.integration_id == integration.id,
            SyncSchedule.kind == kind,
        )
        .values(next_due_at=next_due(integration, kind, clock.now()))
    )


def clear(integration: Integration) -> None:
    """No sync is due any more. The caller commits."""
    db.session.execute(
        delete(SyncSchedule).where(
            SyncSchedule.tenant_id == integration.tenant_id, SyncSchedule.integration_id == integration.id
        )
    )
