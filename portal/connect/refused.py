"""An integration whose login Autotask refuses: marked, probed once, then left to a person (rule 1.8)."""

from datetime import timedelta

from sqlalchemy import select

from portal import clock
from portal.access import audit
from portal.access.actor import Actor, Source
from portal.access.tenancy import current_tenant_id, system_scope
from portal.autotask.errors import AutotaskError, Retryable, Unauthorized
from portal.autotask.zones import Zone
from portal.connect.opening import Connection, open_client
from portal.extensions import db
from portal.models import Integration, IntegrationState

PROBE_AFTER = timedelta(minutes=15)


def mark(connection: Connection, reason: str, actor: Actor | None = None) -> bool:
    """Records that Autotask refuses this login, and commits. False when it was replaced meanwhile."""
    integration = _locked(connection)
    if integration is None:
        db.session.rollback()
        return False
    now = clock.now()
    integration.state = IntegrationState.NEEDS_RECONNECTING
    integration.reconnect_reason, integration.reconnect_since = reason, now
    integration.probe_at = now + PROBE_AFTER
    audit.record(actor or Actor.system(), "integration.refused", "integration", integration.id, reason=reason)
    db.session.commit()
    return True


def is_settled(connection: Connection) -> bool:
    """True when this login is no longer the one in use, or is known to be refused already."""
    integration = _locked(connection)
    db.session.rollback()
    return integration is None


def keep_zone(connection: Connection, zone: Zone) -> None:
    """Follows a partner whom Autotask moved to another zone, and commits."""
    integration = _locked(connection)
    if integration is not None:
        before = integration.zone_url
        integration.zone_url, integration.zone_name, integration.web_url = zone.url, zone.name, zone.web_url
        audit.record(
            Actor.system(), "integration.moved", "integration", integration.id, before=before, after=zone.url
        )
    db.session.commit()


def due_probes() -> list[tuple[int, int]]:
    """(tenant id, integration id) of the integrations whose one probe is due."""
    with system_scope():
        found = db.session.execute(
            select(Integration.tenant_id, Integration.id).where(
                Integration.state == IntegrationState.NEEDS_RECONNECTING, Integration.probe_at <= clock.now()
            )
        ).all()
        db.session.rollback()
    return [(row.tenant_id, row.id) for row in found]


def probe(integration_id: int) -> bool:
    """Asks Autotask once whether it accepts the login again, and commits. True when it does.

    Claimed by emptying `probe_at`, so it happens once however many ask; only a probe that got no answer
    is planned anew, because it was no login.
    """
    connection = _claim(integration_id)
    if connection is None:
        return False
    try:
        with open_client(connection) as client:
            client.threshold()
    except Unauthorized:
        return False
    except Retryable:
        _plan_again(connection)
        return False
    except AutotaskError:
        pass  # it was let in, whatever else was said
    return _recovered(connection)


def _recovered(connection: Connection) -> bool:
    integration = _locked(connection, IntegrationState.NEEDS_RECONNECTING)
    if integration is not None:
        recover(integration, Actor.system(Source.SCHEDULE))
    db.session.commit()
    return integration is not None


def recover(integration: Integration, actor: Actor) -> None:
    """Autotask accepts the login again. The caller commits."""
    if integration.state != IntegrationState.NEEDS_RECONNECTING:
        return
    since = integration.reconnect_since
    integration.state = IntegrationState.CONNECTED
    integration.reconnect_reason = integration.reconnect_since = integration.probe_at = None
    audit.record(actor, "integration.recovered", "integration", integration.id, refused_since=since)


def _locked(
    connection: Connection, state: IntegrationState = IntegrationState.CONNECTED
) -> Integration | None:
    """The integration, locked, if it is still in that state with the login that was used."""
    return db.session.scalar(
        select(Integration)
        .where(
            Integration.tenant_id == current_tenant_id(),
            Integration.id == connection.integration_id,
            Integration.state == state,
            Integration.secret == connection.sealed,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _claim(integration_id: int) -> Connection | None:
    integration = db.session.scalar(
        select(Integration)
        .where(
            Integration.tenant_id == current_tenant_id(),
            Integration.id == integration_id,
            Integration.state == IntegrationState.NEEDS_RECONNECTING,
            Integration.probe_at <= clock.now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    connection = Connection.to(integration, "payment") if integration else None
    if integration is not None:
        integration.probe_at = None
    db.session.commit()
    return connection


def _plan_again(connection: Connection) -> None:
    integration = _locked(connection, IntegrationState.NEEDS_RECONNECTING)
    if integration is not None:
        integration.probe_at = clock.now() + PROBE_AFTER
    db.session.commit()
