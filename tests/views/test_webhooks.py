"""Settings, Webhooks: only what takes a test is saved, its secret is shown until then, and people see what went there."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import AuditEvent, Tenant, WebhookEndpoint
from portal.webhooks import endpoints, kinds, send
from tests import factories
from tests.webhooks.receiver import Receiver, listening, receiver

__all__ = ["listening", "receiver"]
PLACE = "/p/northwind/settings/webhooks"


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    with app.app_context():
        yield factories.tenant("northwind")


@pytest.fixture
def owner(partner: Tenant, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    return log_in(partner)


def shown_secret(page: str) -> str:
    return str(re.search(r"whsec_[A-Za-z0-9+/=]+", page)[0])  # type: ignore[index]


def typed(receiver: Receiver, secret: str, **values: Any) -> dict[str, Any]:
    kinds = ["invoice.created", "payment.recorded", "invoice.paid"]
    return {"name": "ERP", "url": receiver.url, "secret": secret, "kinds": kinds, **values}


def add(owner: FlaskClient, receiver: Receiver) -> str:
    """The secret of a new endpoint."""
    secret = shown_secret(owner.get(f"{PLACE}/new").text)
    assert owner.post(PLACE, data=typed(receiver, secret)).status_code == 303
    return secret


def where(partner: Tenant) -> str:
    """The page of its only endpoint."""
    return f"{PLACE}/{rows(partner, WebhookEndpoint)[0].id}"


def rows(partner: Tenant, model: Any) -> list[Any]:
    with factories.inside(partner):
        return list(db.session.scalars(db.select(model).execution_options(populate_existing=True)))


def test_only_an_address_that_takes_a_signed_test_is_saved(
    owner: FlaskClient, partner: Tenant, receiver: Receiver
) -> None:
    page = owner.get(f"{PLACE}/new")
    assert page.headers["Cache-Control"] == "no-store"
    secret = shown_secret(page.text)
    receiver.says = 401
    refused = owner.post(PLACE, data=typed(receiver, secret))
    assert (refused.status_code, "It answered 401." in refused.text) == (422, True)
    assert shown_secret(refused.text) == secret
    for url in ("https://10.0.0.1/", "http://a.example/", "https://127.0.0.1:8443/"):
        assert owner.post(PLACE, data=typed(receiver, secret, url=url)).status_code == 422
    assert (len(receiver.taken), rows(partner, WebhookEndpoint)) == (1, [])
    receiver.says = 200
    saved = owner.post(PLACE, data=typed(receiver, secret))
    assert saved.status_code == 303
    assert [one["type"] for one in receiver.events(secret)] == ["webhook.test"] * 2
    assert secret not in owner.get(saved.location).text + owner.get(f"{saved.location}/edit").text
    again = owner.post(PLACE, data=typed(receiver, secret))
    assert "There is an endpoint with this address already." in again.text
    [event] = [one for one in rows(partner, AuditEvent) if one.event == "webhook.created"]
    assert "hooks?from" not in str(event.details) + secret


def test_what_went_there_is_shown_and_can_be_sent_again_under_the_same_id(
    owner: FlaskClient, partner: Tenant, receiver: Receiver, log_in: Callable[..., FlaskClient]
) -> None:
    secret = add(owner, receiver)
    place = where(partner)
    with factories.inside(partner):
        factories.invoice(factories.customer(), "100.00", number="N-7")
    receiver.begin_anew()
    receiver.says = 500
    send.send_due()
    page = owner.get(place).text
    assert "Invoice N-7" in page
    assert "It answered 500." in page
    message = re.search(r"/p/northwind/settings/webhook-messages/\d+", page)[0]  # type: ignore[index]
    shown = owner.get(message).text
    assert "&#34;outstanding&#34;: &#34;100.00&#34;" in shown
    receiver.says = 200
    assert owner.post(f"{message}/again").status_code == 303
    send.send_due()
    assert len(set(receiver.ids)) == 1
    assert [one["type"] for one in receiver.events(secret)] == ["invoice.created"] * 2
    assert owner.get(message).text.count("<tr>") == 3, "each try has its line"
    reader = log_in(partner, "reader")
    seen = reader.get(place).text + reader.get(message).text + reader.get(PLACE).text
    assert f"http://{receiver.authority}/…" in seen
    assert not [word for word in ("from=portal", "Send again", "Replace the secret") if word in seen]
    assert reader.post(f"{message}/again").status_code == 403


def test_paused_it_waits_and_switched_on_again_it_gets_what_it_missed(
    owner: FlaskClient, partner: Tenant, receiver: Receiver
) -> None:
    add(owner, receiver)
    place = where(partner)
    owner.post(f"{place}/pause")
    with factories.inside(partner):
        factories.invoice(factories.customer(), "100.00")
    receiver.begin_anew()
    assert send.send_due() == 0
    receiver.says = 503
    owner.post(f"{place}/resume")
    assert rows(partner, WebhookEndpoint)[0].state == "paused", "the test failed"
    receiver.says = 200
    owner.post(f"{place}/resume")
    assert (send.send_due(), rows(partner, WebhookEndpoint)[0].state) == (1, "on")
    assert "ERP" in owner.get(f"{place}/remove").text
    assert owner.post(f"{place}/remove").status_code == 303
    assert owner.get(place).status_code == 404


def test_a_replaced_secret_is_shown_once_and_a_change_is_tested_with_both(
    owner: FlaskClient, partner: Tenant, receiver: Receiver
) -> None:
    old = add(owner, receiver)
    place = where(partner)
    answer = owner.post(f"{place}/secret")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    new = shown_secret(answer.text)
    receiver.begin_anew()
    changed = typed(receiver, "", name="New ERP", url=f"{receiver.url}&v=2")
    assert owner.post(place, data=changed).status_code == 303
    assert receiver.events(old) == receiver.events(new)
    assert [(one.name, one.url) for one in rows(partner, WebhookEndpoint)] == [("New ERP", changed["url"])]
    assert new not in owner.get(place).text


def test_a_new_one_leaves_out_what_a_first_read_would_flood_it_with(owner: FlaskClient) -> None:
    page = owner.get(f"{PLACE}/new").text
    boxes = re.findall(r"<input[^>]*name=\"kinds\"[^>]*>", page)
    ticked = {re.search(r"value=\"([^\"]+)", box)[1] for box in boxes if " checked" in box}  # type: ignore[index]
    assert ticked == set(kinds.OFFERED) - {"invoice.created"}


def test_one_that_is_gone_says_so_and_what_to_do_and_a_taken_message_is_taken_once(
    owner: FlaskClient, partner: Tenant, receiver: Receiver
) -> None:
    add(owner, receiver)
    for number, answer in (("N-1", 200), ("N-2", 410)):
        with factories.inside(partner):
            factories.invoice(factories.customer(), "100.00", number=number)
        receiver.says = answer
        send.send_due()
    page = owner.get(where(partner)).text
    assert (
        "because it answered that it takes no messages any more (410). Mend it or change its address" in page
    )
    assert "took no message since" not in page
    assert "Taken (200)." not in page
    assert "It says that it takes no messages any more (410)." in page


def test_what_was_removed_while_somebody_looked_at_it_is_told_in_words(
    owner: FlaskClient, partner: Tenant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(owner, receiver)
    place, real = where(partner), endpoints.test

    def test(*given: Any) -> Any:
        with factories.inside(partner):
            endpoints.remove(factories.ACTOR, rows(partner, WebhookEndpoint)[0].id)
            db.session.commit()
        return real(*given)

    owner.post(f"{place}/pause")
    monkeypatch.setattr(endpoints, "test", test)
    answer = owner.post(f"{place}/resume", follow_redirects=True)
    assert answer.status_code == 200
    assert "“ERP” was removed a moment ago." in answer.text
