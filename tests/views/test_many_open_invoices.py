"""A customer with more open invoices than a form has rows: any of them can be paid, and the oldest first of all."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.extensions import db
from portal.models import Allocation, Customer, Invoice, Tenant
from portal.payments import rules
from portal.queries import open_invoices
from tests import factories
from tests.reading import element, elements, words_of

NEW, SEND = "/p/northwind/payments/new", "/p/northwind/payments"
TODAY = clock.today("UTC").isoformat()


@pytest.fixture
def ids(app: Flask, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """INV-1 to INV-4 of 100 each, the oldest first, and room for two in a form."""
    monkeypatch.setattr(open_invoices, "MOST", 2)
    found = {}
    with app.app_context(), factories.inside(factories.tenant(slug="northwind")):
        found["customer"] = factories.customer(factories.integration(app), name="Adatum").id
        for number in range(1, 5):
            customer = db.session.query(Customer).one()
            name = f"INV-{number}"
            found[name] = factories.invoice(customer, number=name, autotask_number=name).id
        found["CR-1"] = factories.invoice(
            db.session.query(Customer).one(), "-250.00", number="CR-1", autotask_number="CR-1"
        ).id
    return found


@pytest.fixture
def clerk(app: Flask, ids: dict[str, int], log_in: Callable[..., FlaskClient]) -> FlaskClient:
    with app.app_context():
        return log_in(db.session.query(Tenant).one(), "clerk")


def typed(ids: dict[str, int], **values: str) -> dict[str, str]:
    amounts = {f"pay-{ids[name]}": values.pop(name) for name in list(values) if name in ids}
    usual = {
        "customer": str(ids["customer"]),
        "key": "a-key-of-this-form",
        "paid_on": TODAY,
        "method": "check",
    }
    return usual | amounts | values


def rows(page: str) -> list[str]:
    return [row.get_text() for row in elements(page, "[data-allocations] th a")]


def paid(app: Flask) -> dict[str, str]:
    """What each invoice got, by its number."""
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        found = db.session.query(Allocation).join(Allocation.invoice).order_by(Invoice.number)
        return {one.invoice.number: str(one.amount.normalize()) for one in found}


def test_the_form_shows_the_oldest_and_says_how_many_there_are(
    clerk: FlaskClient, ids: dict[str, int]
) -> None:
    page = clerk.get(f"{NEW}?customer={ids['customer']}").text
    assert rows(page) == ["INV-1", "INV-2"]
    assert "Adatum owes 400.00\N{NO-BREAK SPACE}USD on 4 open invoices." in page
    assert "2 of 4 shown." in words_of(page)
    last = clerk.get(f"{NEW}?invoice={ids['INV-4']}").text
    assert rows(last) == ["INV-4", "INV-1"]


@pytest.mark.parametrize("beside", [{}, {"INV-1": "", "INV-2": ""}, {"INV-1": "100.00", "INV-2": "100.00"}])
def test_the_oldest_of_all_are_paid_first_and_not_only_those_that_are_shown(
    app: Flask, clerk: FlaskClient, ids: dict[str, int], beside: dict[str, str]
) -> None:
    """With a script in the browser the rows are full when the form is sent, without one they are empty."""
    answer = clerk.post(SEND, data=typed(ids, amount="350.00", **beside))
    assert answer.status_code == 303, answer.text
    assert paid(app) == {"INV-1": "1E+2", "INV-2": "1E+2", "INV-3": "1E+2", "INV-4": "5E+1"}


@pytest.mark.parametrize(
    "beside",
    [{"INV-1": "90.00", "INV-2": "100.00"}, {"INV-1": "100.00", "INV-2": "100.00", "say_which": "yes"}],
)
def test_what_a_person_left_out_goes_nowhere_unasked(
    app: Flask, clerk: FlaskClient, ids: dict[str, int], beside: dict[str, str]
) -> None:
    answer = clerk.post(SEND, data=typed(ids, amount="250.00", **beside))
    assert answer.status_code == 422
    assert "of the 250.00\N{NO-BREAK SPACE}USD is not allocated." in answer.text
    assert paid(app) == {}


def test_any_open_invoice_is_found_by_its_number_and_what_was_typed_stays(
    app: Flask, clerk: FlaskClient, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = typed(ids, amount="130.00", reference="Check 104", **{"INV-1": "30.00", "INV-2": ""})
    answer = clerk.post(SEND, data=sent | {"find": "yes", "q": "INV-4"})
    assert (answer.status_code, paid(app)) == (200, {})
    assert rows(answer.text) == ["INV-4", "INV-1"]
    assert element(answer.text, f"#pay-{ids['INV-1']}")["value"] == "30.00"
    assert element(answer.text, "#reference")["value"] == "Check 104"
    assert "1 open invoice found by “INV-4”" in words_of(answer.text)
    monkeypatch.setattr(open_invoices, "MOST_FOUND", 1)
    several = clerk.post(SEND, data=sent | {"find": "yes", "q": "INV"})
    assert "4 open invoices found by “INV”" in words_of(several.text)
    assert "1 of 4 shown. Type more of the number to find the others." in words_of(several.text)
    nothing = clerk.post(SEND, data=sent | {"find": "yes", "q": "INV-9"})
    assert "No open invoice of this customer is found by “INV-9”." in words_of(nothing.text)
    assert clerk.post(SEND, data=sent | typed(ids, **{"INV-4": "100.00"})).status_code == 303
    assert paid(app) == {"INV-1": "3E+1", "INV-4": "1E+2"}


def test_one_payment_pays_no_more_invoices_than_is_said(
    app: Flask, clerk: FlaskClient, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_INVOICES", 3)
    answer = clerk.post(SEND, data=typed(ids, amount="350.00"))
    assert answer.status_code == 422
    assert "One payment pays at most 3 invoices, and this one would pay 4. Record it in parts." in answer.text
    assert paid(app) == {}


def test_a_credit_goes_to_the_oldest_of_all_and_to_any_that_is_found(
    app: Flask, clerk: FlaskClient, ids: dict[str, int]
) -> None:
    sent = {"credit_id": str(ids["CR-1"]), "key": "a-key-of-this-form", "amount": "250.00"}
    found = clerk.post("/p/northwind/credits", data=sent | {"find": "yes", "q": "INV-4"})
    assert (found.status_code, rows(found.text)) == (200, ["INV-4", "INV-1"])
    assert clerk.post("/p/northwind/credits", data=sent).status_code == 303
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        got = db.session.query(Invoice).where(Invoice.credited_amount > 0).order_by(Invoice.number)
        assert [(one.number, one.credited_amount) for one in got] == [
            ("INV-1", 100),
            ("INV-2", 100),
            ("INV-3", 50),
        ]
