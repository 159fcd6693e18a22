"""GET /api/v1/events: for those who would rather ask."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.access import api_keys
from portal.extensions import db
from portal.models import Tenant
from portal.webhooks import events
from tests import factories

ADDRESS = "/api/v1/events"


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    with app.app_context():
        row = factories.tenant("northwind")
        with factories.inside(row):
            yield row


def key(*scopes: str) -> dict[str, str]:
    _, secret = api_keys.create(factories.ACTOR, "Program", scopes)
    db.session.commit()
    return {"Authorization": f"Bearer {secret}"}


def ask(client: FlaskClient, sent: dict[str, str], **query: Any) -> Any:
    answer = client.get(ADDRESS, headers=sent, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_events_come_page_by_page_and_a_cursor_goes_on_where_it_was(
    client: FlaskClient, partner: Tenant
) -> None:
    sent = key("events.read")
    empty = ask(client, sent)
    assert empty == {"data": [], "next_cursor": "0", "has_more": False}
    customer = factories.customer(name="Nobody hears of me")
    invoice = factories.invoice(customer, "100.00", number="N-1")
    factories.payment((invoice, "100.00"), note="private")
    first = ask(client, sent, limit=2, cursor=empty["next_cursor"])
    rest = ask(client, sent, cursor=first["next_cursor"])
    kinds = [one["type"] for one in first["data"] + rest["data"]]
    assert (kinds, first["has_more"], rest["has_more"]) == (
        ["invoice.created", "payment.recorded", "invoice.paid"], True, False,
    )  # fmt: skip
    assert ask(client, sent, cursor=rest["next_cursor"])["data"] == []
    assert first["data"][0]["data"]["invoice"]["outstanding"] == "100.00"
    assert not [word for word in ("Nobody hears of me", "private") if word in str(first) + str(rest)]


def test_only_the_kinds_that_are_asked_for(client: FlaskClient, partner: Tenant) -> None:
    sent = key("events.read")
    for number in range(3):
        factories.payment((factories.invoice(factories.customer(), "10.00", number=f"N-{number}"), "10.00"))
    found = ask(client, sent, kind="invoice.paid,payment.confirmed", limit=2)
    assert [one["type"] for one in found["data"]] == ["invoice.paid"] * 2
    rest = ask(client, sent, kind="invoice.paid", cursor=found["next_cursor"])
    assert (len(rest["data"]), rest["has_more"]) == (1, False)
    refused = client.get(f"{ADDRESS}?kind=invoice.eaten", headers=sent)
    assert (refused.status_code, "invoice.eaten" in refused.json["detail"]) == (400, True)  # type: ignore[index]
    assert client.get(f"{ADDRESS}?cursor=-1", headers=sent).status_code == 400
    assert Decimal(ask(client, sent)["data"][0]["data"]["invoice"]["amount_due"]) == 10


def test_a_key_needs_the_scope_and_sees_its_own_partner_alone(client: FlaskClient, partner: Tenant) -> None:
    sent = key("events.read")
    factories.invoice(factories.customer(), "10.00")
    assert client.get(ADDRESS, headers=key("read", "payments.write")).status_code == 403
    with factories.inside(factories.tenant("contoso")):
        theirs = key("events.read")
        assert ask(client, theirs)["data"] == []
    assert len(ask(client, sent)["data"]) == 1


def test_more_than_is_numbered_at_once_is_said_to_be_there(
    client: FlaskClient, partner: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_AT_ONCE", 2)
    sent = key("events.read")
    for _ in range(3):
        factories.invoice(factories.customer(), "10.00")
    first = ask(client, sent)
    rest = ask(client, sent, cursor=first["next_cursor"])
    assert [(len(one["data"]), one["has_more"]) for one in (first, rest)] == [(2, True), (1, False)]
