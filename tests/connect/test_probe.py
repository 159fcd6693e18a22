"""Rule 1.8: one probe after 15 minutes, then only a person."""

from collections.abc import Callable
from datetime import timedelta

from portal import clock
from portal.connect import probing
from portal.models import Integration
from sandbox import Sandbox
from tests.factories import refreshed

Connect = Callable[..., Integration]


def waiting(connect_to: Connect, sandbox: Sandbox, *, minutes: int = 16, **values: object) -> Integration:
    since = clock.now() - timedelta(minutes=minutes)
    return connect_to(
        sandbox,
        state="needs_reconnecting",
        reconnect_since=since,
        reconnect_reason="No.",
        probe_at=since + probing.PROBE_AFTER,
        **values,
    )


def test_a_probe_is_due_after_fifteen_minutes_and_not_before(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = waiting(connect_to, sandbox, minutes=14)
    assert probing.due_probes() == []
    assert not probing.probe(integration.id)
    assert sandbox.requests == []


def test_an_accepted_probe_connects_again(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = waiting(connect_to, sandbox)
    assert probing.due_probes() == [(integration.tenant_id, integration.id)]

    assert probing.probe(integration.id)

    row = refreshed(integration)
    assert (row.state, row.reconnect_since, row.reconnect_reason) == ("connected", None, None)


def test_a_refused_probe_is_the_only_one(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = waiting(connect_to, sandbox, secret="wrong")

    assert [probing.probe(integration.id) for _ in range(3)] == [False] * 3

    row = refreshed(integration)
    assert (row.state, row.probe_at) == ("needs_reconnecting", None)
    assert probing.due_probes() == []
    assert sandbox.user.refusals == 1


def test_a_probe_without_an_answer_was_no_login_and_is_planned_again(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = waiting(connect_to, sandbox)
    sandbox.refuse_connections()

    assert not probing.probe(integration.id)

    row = refreshed(integration)
    assert row.state == "needs_reconnecting"
    assert row.probe_at > clock.now()
