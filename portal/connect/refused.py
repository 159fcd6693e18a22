"""An integration whose login Autotask refuses: marked, and left to a probe and then to a person (rule 1.8)."""

from datetime import timedelta

from sqlalchemy import select

from portal import clock
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.connect.opening import Connection
from portal.extensions import db
from portal.models import Integration, IntegrationState

PROBE_AFTER = timedelta(minutes=15)


def mark(connection: Connection, reason: str, actor: Actor | None = None) -> bool:
    """Records that Autotask refuses this login, and commits. False when it was replaced meanwhile."""
    integration = locked(connection)
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
    integration = locked(connection)
    db.session.rollback()
    return integration is None


def kept_address(connection: Connection) -> str:
    """The address that is kept for this login now; the connection's own when the login is no longer in use."""
    integration = locked(connection)
    address = connection.zone_url if integration is None else integration.zone_url
    db.session.rollback()
    return address


def recover(integration: Integration, actor: Actor) -> None:
    """Autotask accepts the login again. The caller commits."""
    if integration.state != IntegrationState.NEEDS_RECONNECTING:
        return
    since = integration.reconnect_since
    integration.state = IntegrationState.CONNECTED
    integration.reconnect_reason = integration.reconnect_since = integration.probe_at = None
    audit.record(actor, "integration.recovered", "integration", integration.id, refused_since=since)


def locked(
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
