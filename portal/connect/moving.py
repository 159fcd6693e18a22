"""Where Autotask keeps a partner now: asked when a login is refused, or when answers make no sense (rule 1.8)."""

import structlog
from flask import current_app

from portal.access import audit
from portal.access.actor import Actor
from portal.autotask import zones
from portal.autotask.errors import AutotaskError
from portal.autotask.zones import Zone
from portal.connect import refused
from portal.connect.opening import Connection
from portal.connect.slots import Slots
from portal.extensions import db
from portal.models import Integration, IntegrationState

LOOK_UP = "zone look-up"
BETWEEN_LOOK_UPS = 300.0


def named_now(
    connection: Connection, state: IntegrationState = IntegrationState.CONNECTED
) -> Connection | None:
    """The connection at the address that Autotask names now, kept on the integration; None where it was.

    Sends no credentials. Raises AutotaskError when Autotask does not say.
    """
    zone = zones.discover(
        connection.username,
        discovery_url=current_app.config["AUTOTASK_DISCOVERY_URL"],
        trusted_hosts=current_app.config["AUTOTASK_TRUSTED_HOSTS"],
    )
    if zone.url == connection.zone_url:
        return None
    _keep(connection, zone, state)
    return connection.at(zone.url)


def if_elsewhere(connection: Connection) -> Connection | None:
    """The same after an answer that makes no sense: asked at most once in five minutes for each integration.

    None as well when nothing new is known.
    """
    kept = refused.kept_address(connection)
    if kept != connection.zone_url:
        return connection.at(kept)
    slots = Slots(connection.tenant_id, connection.integration_id, "payment")
    if slots.take_at_once(LOOK_UP, BETWEEN_LOOK_UPS) is None:
        return None
    try:
        return named_now(connection)
    except AutotaskError as fault:
        structlog.get_logger().info("zone.not_read", reason=str(fault))
        return None


def has_moved(integration: Integration) -> bool:
    """Whether Autotask names another address now, which is kept: for an answer that lacks what must be in it."""
    connection = Connection.to(integration, "payment")
    db.session.commit()
    return if_elsewhere(connection) is not None


def _keep(connection: Connection, zone: Zone, state: IntegrationState) -> None:
    """Follows a partner whom Autotask moved to another zone, and commits."""
    integration = refused.locked(connection, state)
    if integration is not None and integration.zone_url != zone.url:
        before = integration.zone_url
        integration.zone_url, integration.zone_name, integration.web_url = zone.url, zone.name, zone.web_url
        audit.record(
            Actor.system(), "integration.moved", "integration", integration.id, before=before, after=zone.url
        )
    db.session.commit()
