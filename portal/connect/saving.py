"""Connecting, reconnecting and disconnecting, after the test; none of it calls Autotask or commits."""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import func, select, update

from portal import attention, clock, crypto, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.autotask import budget
from portal.connect import sync_minutes, totals, usage
from portal.connect.settings import renumber
from portal.connect.verify import ConnectRequest, Verified
from portal.extensions import db
from portal.models import (
    AUTOTASK,
    INCOMPLETE,
    Cause,
    Customer,
    Delivery,
    DeliveryState,
    Integration,
    IntegrationRole,
    IntegrationState,
    SyncRun,
    Tenant,
    TotalsMode,
    TotalsSource,
)

SOME = 30
OWED = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.PARKED)


def current(*, anew: bool = False) -> Integration | None:
    """The partner's Autotask integration, in whatever state; `anew`: as the database has it now."""
    query = scoped(Integration).where(Integration.kind == AUTOTASK)
    return db.session.scalar(query.execution_options(populate_existing=anew))


def matches_invoices(integration: Integration | None) -> bool:
    """Whether each sync looks for Autotask's counterparts of the portal's own invoices (rule 6)."""
    return (
        integration is not None
        and integration.role == IntegrationRole.SECONDARY
        and integration.state != IntegrationState.DISCONNECTED
    )


def known_customers() -> dict[int, str]:
    """Names by Autotask ID of some customers that came from Autotask: {} before the first sync."""
    rows = db.session.execute(
        select(Customer.autotask_id, Customer.name)
        .where(
            Customer.tenant_id == current_tenant_id(),
            Customer.autotask_id > 0,
            Customer.missing_since.is_(None),
        )
        .order_by(Customer.id)
        .limit(SOME)
    )
    return {row.autotask_id: row.name for row in rows}


def save_connection(
    actor: Actor, request: ConnectRequest, verified: Verified, *, planned: bool = True
) -> Integration:
    """Connects, or connects again: what was read, filters and settings stay (rule 1.7). The caller commits.

    Running it twice with the same request changes nothing more than the secret's ciphertext. Without
    `planned` no sync is due until the first one is started: filters are chosen before it.
    """
    _one_at_a_time()
    before = current()
    integration = before or _new(request)
    if before is not None and before.role != request.role:
        end_matching()
    _take_over(integration, request, verified)
    db.session.flush()
    _seal(integration, request.secret.strip())
    _settle_totals(integration, verified)
    if integration.identifier != request.identifier:
        renumber(integration, request.identifier)
    if planned:
        sync_minutes.plan(integration)
    usage.add_own_calls(integration, verified.calls)
    event = "integration.reconnected" if before else "integration.connected"
    audit.record(actor, event, "integration", integration.id, **_told(integration))
    return integration


def end_matching() -> None:
    """Only a secondary integration looks for counterparts; the next one that does opens what it finds anew."""
    for cause in (Cause.MATCH_NONE, Cause.MATCH_SEVERAL):
        attention.close_all(
            cause, "Closed: Autotask's role changed, so this invoice is no longer looked for there."
        )


def _one_at_a_time() -> None:
    """Two people who connect at once must not both make the row."""
    db.session.execute(
        select(Tenant.id).where(Tenant.id == current_tenant_id()).with_for_update(key_share=True)
    )


def _new(request: ConnectRequest) -> Integration:
    minute, hour = sync_minutes.own_time(current_tenant_id())
    integration = Integration(
        tenant_id=current_tenant_id(),
        kind=AUTOTASK,
        identifier=request.identifier,
        totals_mode=TotalsMode.WITHOUT_TAX,
        totals_source=TotalsSource.ASSUMED,
        secret=b"",
        sync_minute=minute,
        sync_hour=hour,
    )
    db.session.add(integration)
    return integration


def _take_over(integration: Integration, request: ConnectRequest, verified: Verified) -> None:
    integration.state, integration.role = IntegrationState.CONNECTED, request.role
    integration.email, integration.username = request.email.strip(), request.username.strip()
    integration.zone_url, integration.zone_name = verified.zone.url, verified.zone.name
    integration.web_url, integration.database_number = verified.zone.web_url, verified.zone.ci
    integration.connected_at, integration.disconnected_at = clock.now(), None
    integration.reconnect_reason = integration.reconnect_since = integration.probe_at = None
    if verified.currencies is not None:
        integration.currencies = verified.currencies
    if verified.threshold is not None:
        _remember_usage(integration, verified.threshold, verified.read_at)


def _remember_usage(integration: Integration, reading: budget.Threshold, read_at: datetime) -> None:
    integration.usage_used, integration.usage_limit = reading.used, reading.limit
    integration.usage_read_at = read_at
    if budget.pace(reading, "read").action != "stop":
        integration.paused_until = integration.pause_reason = None


def _seal(integration: Integration, secret: str) -> None:
    where = crypto.place(integration.tenant_id, "integration", "secret", integration.id)
    integration.secret = crypto.encrypt(current_app.config["ENCRYPTION_KEYS"], where, secret)


def _settle_totals(integration: Integration, verified: Verified) -> None:
    if totals.decide_totals(integration, verified.samples):
        db.session.flush()
        ledger.recompute_amounts(integration.id, integration.totals_mode)


def _told(integration: Integration) -> dict[str, Any]:
    names = ("email", "username", "role", "identifier", "zone_url", "database_number", "totals_mode")
    return {name: getattr(integration, name) for name in names}


def disconnect(actor: Actor, integration: Integration) -> None:
    """Forgets the secret and stops everything; what was read stays. The caller commits."""
    integration.state, integration.disconnected_at = IntegrationState.DISCONNECTED, clock.now()
    integration.secret = b""
    integration.probe_at = integration.paused_until = integration.pause_reason = None
    sync_minutes.clear(integration)
    db.session.execute(
        update(SyncRun)
        .where(
            SyncRun.tenant_id == integration.tenant_id,
            SyncRun.integration_id == integration.id,
            SyncRun.state.in_(INCOMPLETE),
        )
        .values(cancel_requested_at=clock.now())
    )
    audit.record(
        actor, "integration.disconnected", "integration", integration.id, deliveries_owed=owed_deliveries()
    )


def owed_deliveries() -> int:
    """How many deliveries Autotask has not confirmed yet."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(Delivery)
            .where(Delivery.tenant_id == current_tenant_id(), Delivery.state.in_(OWED))
        )
        or 0
    )
