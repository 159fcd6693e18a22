"""The reconciliation page: the month in a sentence, a table that adds up, the rows, the file."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock, ledger
from portal.extensions import db
from portal.models import Customer, Invoice, Tenant
from tests import factories
from tests.pages import Page, rows_behind
from tests.reading import words_of

TODAY = clock.today("UTC")
DIFFERING = "/p/northwind/invoices?show=all&agreement=differs"


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        tenant = factories.tenant(slug="northwind")
        with factories.inside(tenant):
            invoice = factories.invoice(factories.customer(factories.integration(app), name="=1+1"), "100.00")
            factories.payment((invoice, "40.00"), on=TODAY, reference="@SUM(A1)")
    with app.app_context():
        from portal.extensions import db

        return db.session.query(Tenant).one()


def test_the_month_is_told_in_a_sentence_and_adds_up(
    partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    page = log_in(partner, "reader").get("/p/northwind/reconciliation").text
    assert "40.00 USD posted, 0.00 waiting, 0.00 stuck, 0.00 differs." in words_of(page)
    assert "Adds up to the ledger" in page


def test_money_settled_there_and_credits_stand_in_the_sentence_too(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context(), factories.inside(db.session.merge(partner)):
        customer_id = factories.customer(name="Tailspin").id
        factories.invoice(
            db.session.get_one(Customer, (partner.id, customer_id)), "1234.00", autotask_paid_on=TODAY
        )
    page = log_in(partner, "reader").get("/p/northwind/reconciliation").text
    assert "0.00 differs; 1,234.00 settled in Autotask itself." in words_of(page)


def test_home_counts_as_differing_the_voided_invoice_whose_payment_differs_here(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context(), factories.inside(db.session.merge(partner)):
        paid = db.session.query(Invoice).one()
        paid.is_voided = True
        unpaid = factories.invoice(paid.customer, "5.00", is_voided=True)
        ledger.restate([paid.id, unpaid.id])
        db.session.commit()
    reader = log_in(partner, "reader")
    month = words_of(reader.get("/p/northwind/reconciliation").text)
    assert "0.00 USD posted, 0.00 waiting, 0.00 stuck, 40.00 differs." in month
    assert rows_behind(reader, "/p/northwind/reconciliation?state=differs") == 1
    home = Page(reader.get("/p/northwind/").text)
    compared = {address: number for number, address in home.counts if number and "agreement=" in address}
    assert {address.partition("agreement=")[2]: number for address, number in compared.items()} == {
        "differs": 1,
        "voided": 1,
    }
    assert all(rows_behind(reader, address) == number for address, number in compared.items())
    links = Page(reader.get(DIFFERING).text).links
    (invoice,) = {link for link in links if re.search(r"/invoices/\d+$", link)}
    said = words_of(reader.get(invoice).text)
    assert "It takes no payment. What is recorded against it here needs a decision." in said


def test_a_row_of_the_table_opens_its_entries(partner: Tenant, log_in: Callable[..., FlaskClient]) -> None:
    reader = log_in(partner, "reader")
    assert "@SUM(A1)" in reader.get("/p/northwind/reconciliation?state=posted&currency=USD").text
    assert "No entries of this kind" in reader.get("/p/northwind/reconciliation?state=reversed").text
    for odd in (
        "state=odd",
        "month=0000-00",
        "as_of=x",
        "currency=%00",
        "older=1~2~3",
        "older=2026-01-01~x~1",
    ):
        assert reader.get(f"/p/northwind/reconciliation?{odd}").status_code == 200


def test_the_file_is_harmless_and_told_as_of_its_date(
    partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    reader = log_in(partner, "reader")
    month = f"{TODAY:%Y-%m}"
    answer = reader.get(f"/p/northwind/reconciliation/export.csv?month={month}")
    assert "'=1+1" in answer.text
    assert "'@SUM(A1)" in answer.text
    yesterday = TODAY - timedelta(days=1)
    past = reader.get(f"/p/northwind/reconciliation/export.csv?month={month}&as_of={yesterday}")
    assert f"reconciliation-{month}-as-of-{yesterday}.csv" in past.headers["Content-Disposition"]
    assert past.text.count("\r\n") == 1


def test_support_sees_the_month_and_takes_no_file(
    app: Flask, partner: Tenant, visit: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        factories.member(partner)
    support = visit(partner)
    assert "Download CSV" not in support.get("/p/northwind/reconciliation").text
    assert support.get("/p/northwind/reconciliation/export.csv").status_code == 403
