"""What is due by the clock. The next due time moves in the transaction that creates the run, so that a day of
downtime costs one run that catches up, and no two schedulers make two.

Times are kept in UTC, so that nights with a change of daylight saving are like all others.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from portal import clock
from portal.access.actor import Actor, Source
from portal.access.tenancy import current_tenant_id, scoped, system_scope, tenant_scope
from portal.connect import sync_minutes
from portal.extensions import db
from portal.models import (
    Integration,
    IntegrationState,
    IntegrationStatus,
    SyncRun,
    SyncSchedule,
    SyncTrigger,
    Tenant,
)
from portal.sync import manual, runs, wanted_pdfs


def create_due(now: datetime | None = None) -> list[tuple[int, int]]:
    """Creates the runs of all partners that are due; (tenant id, run id) of each. Commits partner by partner."""
    now = now or clock.now()
    started = []
    for tenant_id in _tenants_due(now):
        with tenant_scope(tenant_id):
            for run in _start_of_partner(now):
                started.append((tenant_id, run.id))
    return started


def oldest() -> datetime | None:
    """Since when the run is due that should have been made longest ago."""
    with system_scope():
        return db.session.scalar(_due(select(func.min(SyncSchedule.next_due_at)), clock.now()))


def _tenants_due(now: datetime) -> list[int]:
    with system_scope():
        found = db.session.scalars(_due(select(SyncSchedule.tenant_id), now).distinct()).all()
        db.session.rollback()
    return list(found)


def _due(query: Select[Any], now: datetime) -> Select[Any]:
    """Restricted to what is due of connected partners."""
    return (
        query.join(
            IntegrationStatus,
            (IntegrationStatus.tenant_id == SyncSchedule.tenant_id)
            & (IntegrationStatus.integration_id == SyncSchedule.integration_id),
        )
        .join(Tenant, Tenant.id == SyncSchedule.tenant_id)
        .where(Tenant.disabled_at.is_(None))
        .where(SyncSchedule.next_due_at <= now, IntegrationStatus.state == IntegrationState.CONNECTED)
    )


def _start_of_partner(now: datetime) -> list[SyncRun]:
    rows = db.session.scalars(
        scoped(SyncSchedule)
        .where(SyncSchedule.next_due_at <= now)
        .order_by(SyncSchedule.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    started = []
    for row in rows:
        integration = db.session.get_one(
            Integration, (current_tenant_id(), row.integration_id), populate_existing=True
        )
        if not integration.is_connected:
            continue
        if manual.incomplete(integration, row.kind) is None:
            actor = Actor.system(Source.SCHEDULE)
            started.append(
                runs.start(integration, row.kind, SyncTrigger.SCHEDULE, actor, due_at=row.next_due_at)
            )
        row.next_due_at = sync_minutes.next_due(integration, row.kind, now)
    db.session.commit()
    return started


def ensure(integration: Integration) -> None:
    """Completes a schedule that an earlier release began. The caller commits."""
    begun = select(SyncSchedule.id).where(
        SyncSchedule.tenant_id == integration.tenant_id, SyncSchedule.integration_id == integration.id
    )
    if db.session.scalar(begun.limit(1)) is not None:
        sync_minutes.plan(integration)


def keep_up() -> None:
    """Completes every connected partner's schedule and lets unavailable PDFs wait again. Commits."""
    with system_scope():
        rows = db.session.execute(
            select(IntegrationStatus.tenant_id, IntegrationStatus.integration_id).where(
                IntegrationStatus.state == IntegrationState.CONNECTED
            )
        ).all()
        db.session.rollback()
    for row in rows:
        with tenant_scope(row.tenant_id):
            ensure(
                db.session.get_one(Integration, (row.tenant_id, row.integration_id), populate_existing=True)
            )
            wanted_pdfs.try_unavailable_again()
            db.session.commit()
