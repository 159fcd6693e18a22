"""What is decided for many at once is as much as was said, and a form offers whom it was opened for."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import attention
from portal.extensions import db
from portal.models import Cause, Delivery, Tenant
from portal.queries import exceptions, missing, own_records
from tests import factories
from tests.reading import element, words, words_of

LIST = "/p/northwind/exceptions"


@pytest.fixture
def partner(app: Flask) -> Tenant:
    """Three stuck deliveries, each with its exception."""
    with app.app_context():
        tenant = factories.tenant(slug="northwind")
        with factories.inside(tenant):
            customer = factories.customer(factories.integration(app))
            for number in ("A-1", "A-2", "B-1"):
                invoice = factories.invoice(customer, number=number)
                factories.payment((invoice, "100.00"))
                delivery = db.session.query(Delivery).filter_by(invoice_id=invoice.id).one()
                delivery.state, delivery.error = "parked", "No answer."
                attention.open_item(
                    Cause.DELIVERY_PARKED, "delivery", str(invoice.id), label=f"Invoice {number}",
                    detail="No answer.", invoice_id=invoice.id,
                )  # fmt: skip
            db.session.commit()
    with app.app_context():
        return db.session.query(Tenant).one()


@pytest.fixture
def owner(partner: Tenant, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    return log_in(partner, "owner")


def waiting(app: Flask, partner: Tenant) -> int:
    with app.app_context(), factories.inside(partner):
        return db.session.query(Delivery).filter_by(state="waiting").count()


def test_retrying_all_takes_those_that_the_filter_shows(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    page = owner.post(f"{LIST}/retry", data={"q": "A-"}, follow_redirects=True).text
    assert "2 will be tried again now." in words_of(page)
    assert waiting(app, partner) == 2


def test_retrying_more_than_are_taken_at_once_says_how_many_are_left(
    app: Flask, partner: Tenant, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exceptions, "MOST_AT_ONCE", 2)
    page = owner.post(f"{LIST}/retry", follow_redirects=True).text
    assert "These were the oldest 2 of 3; retry again for the others." in words_of(page)
    assert waiting(app, partner) == 2


@pytest.mark.parametrize(
    ("path", "name", "module"),
    [("exceptions/resolve", "item", exceptions), ("missing/archive", "id", missing)],
)
def test_more_ids_than_are_taken_at_once_are_refused_and_none_is_dropped(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str, name: str, module: object
) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    data = {name: ["1", "2"], "kind": "invoice", "reason": "The customer called"}
    answer = owner.post(f"/p/northwind/{path}", data=data)
    assert answer.status_code == 422
    assert "2 were chosen, and at most 1 are taken at once. Nothing was changed: choose fewer." in answer.text
    assert "3 things need you" in words(owner, LIST)


def test_the_form_for_an_invoice_offers_the_customer_it_was_opened_for(
    app: Flask, partner: Tenant, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_records, "MOST", 1)
    with app.app_context(), factories.inside(partner):
        factories.customer(name="Contoso")
        last = factories.customer(name="Zulu").id
    page = owner.get(f"/p/northwind/invoice-edits/new?customer_id={last}").text
    assert element(page, "select[name=customer_id] option[selected]").get_text() == "Zulu (USD)"
    assert "2 of 3 shown. For another customer, open it and choose Add an invoice" in words_of(page)
    data = {"customer_id": last, "number": "Z-1", "issued_on": "2026-11-01", "amount_due": "5.00"}
    assert owner.post("/p/northwind/invoice-edits/new", data=data).status_code == 303
