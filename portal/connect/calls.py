"""Work with Autotask in the name of an integration, and what becomes of a refused login (rule 1.8)."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from flask import current_app

from portal.access.tenancy import current_tenant_id
from portal.autotask import zones
from portal.autotask.budget import Purpose
from portal.autotask.client import Client
from portal.autotask.errors import Permanent, Retryable, Unauthorized, Unavailable
from portal.autotask.zones import Zone
from portal.connect import refused
from portal.connect.errors import NotConnected
from portal.connect.opening import Connection, connection_of, open_client
from portal.connect.slots import Slots
from portal.extensions import db
from portal.models import Integration

Result = TypeVar("Result")
LOGIN = "login"


def calling(integration_id: int, work: Callable[[Client], Result], *, purpose: Purpose = "read") -> Result:
    """`work(client)`'s result. Commits before it starts, so that no transaction is open while Autotask
    answers; `work` leaves none open when it calls, and is safe to run twice.

    A refused login is tried once more where Autotask says the account lives; refused again, the integration
    needs reconnecting and Unauthorized is raised. Raises NotConnected or Paused before any call, and whatever
    `work` raises. Network faults change nothing.
    """
    connection = connection_of(find(integration_id), purpose)
    db.session.commit()
    try:
        return _run(connection, work)
    except Unauthorized as refusal:
        db.session.rollback()
        return _once_more(connection, work, refusal)


def find(integration_id: int) -> Integration:
    """The integration as it stands in the database now. Raises NotConnected when there is none."""
    integration = db.session.get(Integration, (current_tenant_id(), integration_id), populate_existing=True)
    if integration is None:
        raise NotConnected("Autotask is not connected.")
    return integration


def _run(connection: Connection, work: Callable[[Client], Result]) -> Result:
    with open_client(connection) as client:
        return work(client)


def _once_more(connection: Connection, work: Callable[[Client], Result], refusal: Unauthorized) -> Result:
    """Only one process asks again; the others wait for what it finds, because Autotask locks users."""
    slots = Slots(connection.tenant_id, connection.integration_id, "payment")
    place = slots.take_at_once(LOGIN)
    if place is None or refused.is_settled(connection):
        if place is not None:
            slots.free(place)
        raise Unavailable("Autotask refused the login; the portal is finding out why.") from refusal
    try:
        return _where_it_lives(connection, work)
    finally:
        slots.free(place)


def _where_it_lives(connection: Connection, work: Callable[[Client], Result]) -> Result:
    try:
        return _run(_moved(connection), work)
    except Unauthorized as again:
        db.session.rollback()
        refused.mark(connection, str(again))
        raise


def _moved(connection: Connection) -> Connection:
    """The connection at the zone that Autotask names now, kept on the integration."""
    try:
        zone = _zone(connection.username)
    except Retryable as fault:
        # The refusal stands whether or not the zone can be looked up: try once where it was.
        structlog.get_logger().info("zone.not_read", reason=str(fault))
        return connection
    except Permanent as gone:
        raise Unauthorized(str(gone), status=gone.status, texts=gone.texts) from gone
    if zone.url != connection.zone_url:
        refused.keep_zone(connection, zone)
    return connection.at(zone.url)


def _zone(username: str) -> Zone:
    return zones.discover(
        username,
        discovery_url=current_app.config["AUTOTASK_DISCOVERY_URL"],
        trusted_hosts=current_app.config["AUTOTASK_TRUSTED_HOSTS"],
    )
