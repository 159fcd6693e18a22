"""Credits in the browser: applied to open invoices of the same customer and currency, and taken back (rule 4.3)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import AuditEvent, CreditApplication, Delivery, Invoice
from tests import factories

KEY = "a-key-of-this-form"


class Books:
    """A customer with a credit of 120 and an invoice of 100."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            self.partner = factories.tenant(slug="northwind")
            with factories.inside(self.partner):
                customer = factories.customer(factories.integration(app))
                self.customer_id = customer.id
                self.credit = factories.invoice(customer, "-120.00", number="CR-1").id
                self.open = factories.invoice(self.customer(), "100.00", number="INV-1").id
                self.other = factories.invoice(self.customer(), "50.00", number="INV-2", currency="EUR").id

    def customer(self) -> Any:
        from portal.models import Customer

        return db.session.scalars(scoped(Customer).where(Customer.id == self.customer_id)).one()

    def outstanding(self, invoice_id: int) -> Decimal:
        return self.look(
            lambda: db.session.scalars(scoped(Invoice).where(Invoice.id == invoice_id)).one().outstanding
        )

    def look(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context():
            from portal.models import Tenant

            tenant = db.session.query(Tenant).filter_by(slug="northwind").one()
            with factories.inside(tenant):
                return work()


@pytest.fixture
def books(app: Flask) -> Books:
    return Books(app)


@pytest.fixture
def clerk(books: Books, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    with books.app.app_context():
        return log_in(db.session.merge(books.partner), "clerk")


def test_a_credit_pays_an_invoice_and_autotask_is_to_be_told(books: Books, clerk: FlaskClient) -> None:
    page = clerk.get(f"/p/northwind/credits/new?invoice_id={books.open}").text
    assert "120.00\N{NO-BREAK SPACE}USD of it is left" in page
    assert 'value="100.00"' in page
    data = {"credit_id": books.credit, "invoice_id": books.open, "amount": "100.00", "key": KEY}
    answer = clerk.post("/p/northwind/credits", data=data)
    assert answer.status_code == 303
    assert clerk.post("/p/northwind/credits", data=data).status_code == 303
    assert books.outstanding(books.open) == 0
    assert books.outstanding(books.credit) == -20
    deliveries = books.look(lambda: list(db.session.scalars(scoped(Delivery))))
    assert [row.invoice_id for row in deliveries if row.wish_paid_on] == [books.open]
    assert "Credit" in clerk.get(answer.location).text


def test_a_credit_meant_for_an_invoice_that_was_paid_meanwhile_goes_to_no_other(
    books: Books, clerk: FlaskClient
) -> None:
    data = {"credit_id": books.credit, "invoice_id": books.open, "amount": "100.00", "key": KEY}
    clerk.post("/p/northwind/credits", data=data)
    old = data | {"key": KEY[::-1], "amount": "20.00", f"pay-{books.open}": "20.00"}
    answer = clerk.post("/p/northwind/credits", data=old)
    assert answer.status_code == 422
    assert books.outstanding(books.credit) == -20


def test_the_credit_is_offered_as_the_partner_writes_numbers(books: Books, clerk: FlaskClient) -> None:
    with books.app.app_context():
        db.session.merge(books.partner).number_format = "point_comma"
        db.session.commit()
    page = clerk.get(f"/p/northwind/credits/new?invoice_id={books.open}").text
    assert 'value="100,00"' in page


def test_taking_a_credit_back_opens_the_invoice_again(books: Books, clerk: FlaskClient) -> None:
    data = {"credit_id": books.credit, "amount": "60.00", "key": KEY}
    clerk.post("/p/northwind/credits", data=data)
    assert books.outstanding(books.open) == 40
    application = books.look(lambda: db.session.scalars(scoped(CreditApplication)).one().id)
    for _ in range(2):
        assert clerk.post(f"/p/northwind/credits/{application}/undo").status_code == 303
    assert books.outstanding(books.open) == 100
    assert books.outstanding(books.credit) == -120
    events = books.look(
        lambda: [row.event for row in db.session.scalars(scoped(AuditEvent).order_by(AuditEvent.position))]
    )
    assert events == ["credit.applied", "credit.removed"]


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("0", "The amount must be more than zero."),
        ("-5", "The amount must be more than zero."),
        ("120.01", "This is more than the 100.00\N{NO-BREAK SPACE}USD still owed on open invoices."),
        ("1.001", "USD amounts have at most 2 decimals."),
        ("", "Enter how much of the credit to apply."),
    ],
)
def test_what_a_credit_cannot_pay_is_told(
    books: Books, clerk: FlaskClient, amount: str, sentence: str
) -> None:
    data = {"credit_id": books.credit, "amount": amount, "key": KEY}
    answer = clerk.post("/p/northwind/credits", data=data)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert books.outstanding(books.credit) == -120


def test_a_credit_stays_with_its_customer_and_currency(books: Books, clerk: FlaskClient) -> None:
    assert clerk.get(f"/p/northwind/credits/new?credit_id={books.open}").status_code == 404
    assert (
        clerk.get(f"/p/northwind/credits/new?credit_id={books.credit}&invoice_id={books.other}").status_code
        == 404
    )
    sneaky = {"credit_id": books.credit, "amount": "", f"pay-{books.other}": "5.00", "key": KEY}
    assert clerk.post("/p/northwind/credits", data=sneaky).status_code == 422
    assert books.outstanding(books.other) == 50


def test_a_foreign_credit_does_not_exist(app: Flask, books: Books, clerk: FlaskClient) -> None:
    with app.app_context(), factories.inside(factories.tenant()):
        theirs = factories.invoice(factories.customer(), "-10.00").id
    assert clerk.get(f"/p/northwind/credits/new?credit_id={theirs}").status_code == 404
    assert clerk.post("/p/northwind/credits", data={"credit_id": theirs, "key": KEY}).status_code == 404
    assert clerk.post(f"/p/northwind/credits/{theirs}/undo").status_code == 404
