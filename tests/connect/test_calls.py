"""Rule 1.8: what becomes of a refused login."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from portal.autotask.client import Client
from portal.autotask.errors import Unauthorized, Unavailable
from portal.autotask.filters import everything
from portal.connect import NotConnected, calling, client_for
from portal.database.outside_transaction import TransactionOpen
from portal.extensions import db
from portal.models import AuditEvent, Integration
from sandbox import Sandbox
from tests.factories import refreshed

Connect = Callable[..., Integration]


def count_customers(client: Client) -> int:
    return client.count("Companies", everything())


def events() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.event).order_by(AuditEvent.position)))


def test_work_gets_a_client_that_is_logged_in(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)

    assert calling(integration.id, count_customers) == sandbox.count("Companies")


def test_a_partner_who_was_moved_is_followed_to_the_new_zone(connect_to: Connect, sandbox: Sandbox) -> None:
    """Rule 1.8: look the zone up once more, try once there."""
    integration = connect_to(sandbox)
    sandbox.move_zone()

    assert calling(integration.id, count_customers) == sandbox.count("Companies")

    row = refreshed(integration)
    assert (row.state, row.zone_url) == ("connected", sandbox.api_url)
    assert "integration.moved" in events()


def test_a_refused_login_needs_reconnecting_and_nothing_more_is_called(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    """Rule 1.8."""
    integration = connect_to(sandbox, secret="an-old-secret")

    with pytest.raises(Unauthorized):
        calling(integration.id, count_customers)

    row = refreshed(integration)
    assert row.state == "needs_reconnecting"
    assert row.reconnect_reason == "Autotask did not accept the key or secret."
    assert (row.probe_at - row.reconnect_since).total_seconds() == 15 * 60
    assert events() == ["integration.refused"]
    assert sandbox.user.refusals == 1

    for _ in range(3):
        with pytest.raises(NotConnected, match="needs reconnecting"):
            calling(row.id, count_customers)
    with pytest.raises(NotConnected):
        client_for(refreshed(row))
    assert sandbox.user.refusals == 1


def test_faults_never_count_as_a_refused_login(connect_to: Connect, sandbox: Sandbox) -> None:
    """Rule 1.8: network faults and 500s never count towards that."""
    integration = connect_to(sandbox)
    sandbox.refuse_connections()

    for _ in range(3):
        with pytest.raises(Unavailable):
            calling(integration.id, count_customers)

    assert refreshed(integration).state == "connected"
    assert events() == []


def test_a_refusal_of_a_secret_that_was_replaced_meanwhile_changes_nothing(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox, secret="an-old-secret")

    def reconnected_meanwhile(client: Client) -> int:
        row = db.session.get(Integration, (integration.tenant_id, integration.id))
        row.secret = b"another"
        db.session.commit()
        return count_customers(client)

    with pytest.raises(Unavailable):
        calling(integration.id, reconnected_meanwhile)

    assert refreshed(integration).state == "connected"


def test_no_transaction_is_open_while_autotask_is_asked(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)

    def careless(client: Client) -> int:
        db.session.scalar(select(Integration.state))
        return count_customers(client)

    with pytest.raises(TransactionOpen):
        calling(integration.id, careless)
    assert sandbox.calls("Companies") == []


def test_an_unreadable_secret_asks_for_a_new_one(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    integration.secret = b"t1\0garbage-garbage-garbage-garbage"
    db.session.commit()

    with pytest.raises(NotConnected, match="Enter the key and secret again"):
        calling(integration.id, count_customers)
