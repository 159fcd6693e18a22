"""Work with Autotask in the name of an integration, and what becomes of a refused login (rule 1.8)."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from portal.access.tenancy import current_tenant_id
from portal.autotask.budget import Purpose
from portal.autotask.client import Client
from portal.autotask.errors import Misshapen, Permanent, Retryable, Unauthorized, Unavailable
from portal.connect import moving, refused
from portal.connect.errors import NotConnected
from portal.connect.opening import Connection, connection_of, open_client
from portal.connect.slots import Slots
from portal.extensions import db
from portal.models import Integration

Result = TypeVar("Result")
LOGIN = "login"


def calling(integration_id: int, work: Callable[[Client], Result], *, purpose: Purpose = "read") -> Result:
    """`work(client)`'s result. Commits before it starts, so that no transaction is open while Autotask
    answers; `work` leaves none open when it calls, and is safe to run twice. One that it leaves open at its end
    is the caller's to commit.

    A refused login is tried once more only at another address than before, where Autotask says the account
    lives now; else, or refused again, the integration needs reconnecting and Unauthorized is raised. An answer
    that makes no sense leads to the same question, now and then. Raises NotConnected or Paused before any call,
    and whatever `work` raises. Network faults change nothing.
    """
    return calling_to(find(integration_id), work, purpose=purpose)


def calling_to(
    integration: Integration, work: Callable[[Client], Result], *, purpose: Purpose = "read"
) -> Result:
    """calling(), for an integration that was read just now."""
    connection = connection_of(integration, purpose)
    db.session.commit()
    try:
        return _run(connection, work)
    except Unauthorized as refusal:
        db.session.rollback()
        return _once_more(connection, work, refusal)
    except Misshapen:
        db.session.rollback()
        there = moving.if_elsewhere(connection)
        if there is None:
            raise
        return _at_new_address(there, work)


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
        result = _at_new_address(_elsewhere(connection, refusal), work)
        db.session.commit()  # the place is given back by a statement of its own
        return result
    finally:
        slots.free(place)


def _elsewhere(connection: Connection, refusal: Unauthorized) -> Connection:
    """The connection at the address that Autotask names now. Where it was, the refusal stands (Unauthorized)."""
    there = None
    try:
        there = moving.named_now(connection)
    except Retryable as fault:
        # Trying again where it was would be a second refused login; the probe looks again.
        structlog.get_logger().info("zone.not_read", reason=str(fault))
    except Permanent as gone:
        refusal = Unauthorized(str(gone), status=gone.status, texts=gone.texts)
    if there is None:
        refused.mark(connection, str(refusal))
        raise refusal
    return there


def _at_new_address(connection: Connection, work: Callable[[Client], Result]) -> Result:
    try:
        return _run(connection, work)
    except Unauthorized as again:
        db.session.rollback()
        refused.mark(connection, str(again))
        raise
