"""Where a partner lives is asked again when a login is refused or answers make no sense (rule 1.8)."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError, Unauthorized, Unavailable
from portal.autotask.filters import everything
from portal.connect import calling, probing
from portal.extensions import db
from portal.models import Integration
from sandbox import Sandbox
from tests.factories import refreshed

Connect = Callable[..., Integration]
EMPTY_PAGE = '{"items":[],"pageDetails":{"count":0,"requestCount":500,"prevPageUrl":null,"nextPageUrl":null}}'

VERBS: dict[str, Callable[[Client, int], Any]] = {
    "pages": lambda client, key: list(client.pages("Invoices", everything())),
    "count": lambda client, key: client.count("Companies", everything()),
    "get": lambda client, key: client.get("Invoices", key)["id"],
    "patch": lambda client, key: client.patch("Invoices", {"id": key, "paidDate": date(2026, 11, 19)}),
    "put": lambda client, key: client.put("Invoices", {"id": key, "paidDate": date(2026, 11, 19)}),
    "pdf": lambda client, key: client.invoice_pdf(key).data[:5],
    "information": lambda client, key: client.entity_information("Invoices")["canQuery"],
    "fields": lambda client, key: len(client.fields("Invoices")),
    "user-defined fields": lambda client, key: len(client.user_defined_fields("Companies")),
    "threshold": lambda client, key: client.threshold().limit,
}


@pytest.fixture
def elsewhere(answering: Callable[..., str]) -> str:
    """An address that answers every call with 200 and something that belongs to no call."""
    return answering({}, anything=(200, "application/json", '{"Greeting":"Hello"}'))


def look_ups(sandbox: Sandbox) -> int:
    return len(sandbox.calls("ZoneInformation"))


@pytest.mark.sandbox(customers=2, invoices=3)
@pytest.mark.parametrize("verb", VERBS)
def test_an_answer_of_the_wrong_shape_leads_to_where_the_partner_lives_now(
    app: Flask, connect_to: Connect, sandbox: Sandbox, elsewhere: str, verb: str
) -> None:
    integration = connect_to(sandbox, zone_url=elsewhere)
    app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
    key = sandbox.rows("Invoices")[0]["id"]

    calling(integration.id, lambda client: VERBS[verb](client, key))

    assert refreshed(integration).zone_url == sandbox.api_url
    assert look_ups(sandbox) == 1


def test_every_call_of_the_client_stands_in_the_table_above() -> None:
    own = {name for name in vars(Client) if not name.startswith("_")}
    assert own - {"address", "calls", "close"} == {
        "pages", "count", "get", "patch", "put", "invoice_pdf", "entity_information", "fields",
        "user_defined_fields", "threshold", "picklist", "picklists", "currencies",
    }  # fmt: skip


@pytest.mark.parametrize("body", ["", "null", "[]", "<html>Sign in</html>", EMPTY_PAGE])
def test_whatever_comes_instead_of_a_number_leads_there(
    app: Flask, connect_to: Connect, sandbox: Sandbox, answering: Callable[..., str], body: str
) -> None:
    integration = connect_to(sandbox, zone_url=answering({}, anything=(200, "application/json", body)))
    app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]

    assert calling(integration.id, lambda client: client.threshold().limit)


def test_where_the_address_is_the_same_it_is_asked_once_in_five_minutes(
    connect_to: Connect, sandbox: Sandbox, superuser: Any
) -> None:
    integration = connect_to(sandbox)
    sandbox.faults.add("hollow_answer", "Companies", "count", body="{}", times=0)

    for _ in range(3):
        with pytest.raises(Unavailable, match="no number"):
            calling(integration.id, lambda client: client.count("Companies", everything()))

    assert look_ups(sandbox) == 1
    superuser.execute("UPDATE call_slot SET held_until = now() WHERE endpoint = 'zone look-up'")
    with pytest.raises(Unavailable):
        calling(integration.id, lambda client: client.count("Companies", everything()))
    assert look_ups(sandbox) == 2


@pytest.mark.parametrize("discovery", ["same address", "not reachable"])
def test_a_refused_secret_is_sent_once(
    app: Flask, connect_to: Connect, sandbox: Sandbox, discovery: str
) -> None:
    """Autotask counts failures and locks: only a new address gets a second try."""
    integration = connect_to(sandbox, secret="an-old-secret")
    if discovery == "not reachable":
        app.config["AUTOTASK_DISCOVERY_URL"] = "http://127.0.0.1:9/"
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]

    with pytest.raises(Unauthorized):
        calling(integration.id, lambda client: client.count("Companies", everything()))

    assert sandbox.user.refusals == 1
    assert refreshed(integration).state == "needs_reconnecting"


def test_a_refused_secret_is_sent_once_to_each_of_two_addresses(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox, secret="an-old-secret")
    sandbox.move_zone()

    with pytest.raises(Unauthorized):
        calling(integration.id, lambda client: client.count("Companies", everything()))

    threshold = "ThresholdInformation"  # the first call of every read
    assert [call.entity for call in sandbox.requests] == [threshold, "ZoneInformation", threshold]
    assert refreshed(integration).state == "needs_reconnecting"


def test_the_probe_looks_the_zone_up_before_it_logs_in(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox, state="needs_reconnecting", reconnect_reason="No.", **_probe_due())
    sandbox.move_zone()

    assert probing.probe(integration.id)

    assert sandbox.user.refusals == 0
    assert refreshed(integration).zone_url == sandbox.api_url


def test_a_probe_that_could_send_no_login_recovers_nothing_and_is_planned_again(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox, state="needs_reconnecting", reconnect_reason="No.", **_probe_due())
    integration.secret = b"gone\0garbage"
    db.session.commit()

    assert not probing.probe(integration.id)

    row = refreshed(integration)
    assert row.state == "needs_reconnecting"
    assert row.probe_at is not None


def _probe_due() -> dict[str, Any]:
    from portal import clock

    since = clock.now() - probing.PROBE_AFTER * 2
    return {"reconnect_since": since, "probe_at": since + probing.PROBE_AFTER}


def test_the_error_says_nothing_else_than_before(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    sandbox.faults.add("hollow_answer", "Invoices", "get", body="{}", times=0)

    with pytest.raises(AutotaskError, match="something else than the record"):
        calling(integration.id, lambda client: client.get("Invoices", 1))
