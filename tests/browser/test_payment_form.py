"""Recording a payment: the amount is what the person typed, and what is left of it is told while they allocate."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.extensions import db
from portal.models import Customer, Invoice, Tenant
from portal.queries import open_invoices
from tests import factories
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of

pytestmark = pytest.mark.browser


def test_allocations_never_change_the_amount_and_typing_it_again_keeps_them(
    app: Flask, open_page: Callable[..., Page]
) -> None:
    with app.app_context():
        partner = factories.tenant(slug="northwind")
        person = factories.member(partner)
        with factories.inside(partner):
            customer_id = factories.customer(factories.integration(app), name="Adatum").id
            for number, amount in enumerate(("300.00", "250.00", "100.00"), start=1):
                customer = db.session.get_one(Customer, (partner.id, customer_id))
                factories.invoice(customer, amount, number=f"INV-{number}")
                partner = db.session.query(Tenant).one()
        cookie = cookie_of(app, person)
    page = open_page()
    with serve(app) as address:
        page.context.add_cookies(
            [{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "url": address}]
        )
        page.goto(f"{address}/p/northwind/payments/new?customer={customer_id}")
        received, left = page.get_by_label("Amount received"), page.locator("[data-left]")
        pay = [page.get_by_label(f"Pay on INV-{number}") for number in (1, 2, 3)]
        received.fill("500.00")
        expect(pay[1]).to_have_value("200.00")
        pay[0].fill("200")
        expect(received).to_have_value("500.00")
        expect(left).to_have_text("100.00 not allocated")
        expect(page.get_by_role("button", name="Record payment of 500.00")).to_be_visible()
        page.get_by_role("button", name="Record payment of 500.00").click()
        expect(page.get_by_text("100.00 of the 500.00 USD is not allocated.")).to_be_visible()
        expect(received).to_have_value("500.00")
        received.fill("450.00")
        expect(pay[0]).to_have_value("200")
        expect(pay[1]).to_have_value("250.00")
        expect(pay[2]).to_have_value("")
        expect(left).to_have_text("")
        pay[2].fill("20.00")
        expect(left).to_have_text("20.00 more than was received")
        pay[2].fill("")
        page.get_by_role("button", name="Record payment of 450.00").click()
        expect(page.get_by_role("heading", name="Payment of 450.00")).to_be_visible()


@pytest.mark.parametrize(
    ("numbers", "dates", "typed", "button", "left", "day"),
    [
        ("comma_point", "day_month_year", "12345678901234567890.12", "12,345,678,901,234,567,890.12",
         "12,345,678,901,234,567,490.11 not allocated", "19 Nov 2026"),
        ("point_comma", "month_day_year", "9007199254740993,07", "9.007.199.254.740.993,07",
         "9.007.199.254.740.593,06 not allocated", "Nov 19, 2026"),
        ("space_comma", "year_month_day", "400,01", "400,01", "", "2026-11-19"),
    ],
)  # fmt: skip
def test_amounts_are_exact_and_written_as_the_partner_writes_them(
    app: Flask,
    open_page: Callable[..., Page],
    numbers: str,
    dates: str,
    typed: str,
    button: str,
    left: str,
    day: str,
) -> None:
    page, address = owing(app, open_page, "400.01", number_format=numbers, date_format=dates)
    with serve(app) as served:
        page.goto(served + address)
        page.get_by_label("Paid on").fill("2026-11-19")
        page.get_by_label("Amount received").fill(typed)
        expect(page.locator(".form-actions [data-words]")).to_have_text(f"Record payment of {button}")
        assert words(page, "[data-left]") == left
        assert f"as paid on {day}." in words(page, "[data-says]")


def test_a_day_that_would_be_refused_is_promised_nowhere(app: Flask, open_page: Callable[..., Page]) -> None:
    page, address = owing(app, open_page, "400.00")
    with serve(app) as served:
        page.goto(served + address)
        page.get_by_label("Amount received").fill("400.00")
        for day, foretold in (("2026-11-19", True), ("9999-01-01", False), ("0001-01-01", False)):
            page.get_by_label("Paid on").fill(day)
            assert ("as paid on" in words(page, "[data-says]")) == foretold, day


def test_an_amount_under_way_makes_nothing_jump(app: Flask, open_page: Callable[..., Page]) -> None:
    """A point at its end is an amount; what is none is compared with nothing."""
    page, address = owing(app, open_page, "400.00")
    with serve(app) as served:
        page.goto(served + address)
        received, left = page.get_by_label("Amount received"), page.locator("[data-left]")
        for typed in ("2", "25", "250", "250.", "250.5", "250.50"):
            received.fill(typed)
            assert left.text_content() == ""
            assert "Record payment of 2" in words(page, ".form-actions [data-words]")
        received.fill("250.50 or so")
        assert left.text_content() == ""
        assert words(page, ".form-actions [data-words]") == "Record payment"


def test_an_old_tab_says_what_happened_and_pays_no_other_invoice(
    app: Flask, open_page: Callable[..., Page]
) -> None:
    page, _ = owing(app, open_page, "400.00")
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        factories.invoice(db.session.query(Customer).one(), "900.00", number="INV-2", autotask_number="INV-2")
        first = db.session.query(Invoice).filter_by(number="INV-1").one().id
    old = page.context.new_page()
    with serve(app) as served:
        for tab in (page, old):
            tab.goto(f"{served}/p/northwind/payments/new?invoice={first}")
        page.get_by_role("button", name="Record payment of 400.00").click()
        expect(page.get_by_role("heading", name="Payment of 400.00")).to_be_visible()
        old.get_by_role("button", name="Record payment of 400.00").click()
        expect(old.get_by_text("Invoice INV-1 is already paid.")).to_be_visible()
        expect(old.get_by_text("Nothing was recorded.")).to_be_visible()
        expect(old.locator("#payment-owes")).to_contain_text("owes 900.00 USD on 1 open invoice.")
        expect(old.get_by_label("Pay on INV-2")).to_have_value("")


def test_what_the_rows_leave_goes_on_to_invoices_that_have_no_row(
    app: Flask, open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_invoices, "MOST", 1)
    page, address = owing(app, open_page, "400.00")
    with app.app_context(), factories.inside(db.session.query(Tenant).one()):
        factories.invoice(db.session.query(Customer).one(), "900.00", number="INV-2", autotask_number="INV-2")
    with serve(app) as served:
        page.goto(served + address)
        page.get_by_label("Amount received").fill("450.00")
        expect(page.locator("[data-left]")).to_have_text("50.00 go to the oldest of 1 open invoice not shown")
        page.get_by_label("Find an open invoice").fill("INV-2")
        page.get_by_label("Find an open invoice").press("Enter")
        expect(page.get_by_label("Pay on INV-2")).to_have_value("450.00")
        expect(page.get_by_label("Amount received")).to_have_value("450.00")
        page.get_by_label("Amount received").fill("1300.00")
        expect(page.get_by_label("Pay on INV-1")).to_have_value("400.00")
        page.get_by_role("button", name="Record payment of 1,300.00").click()
        expect(page.get_by_role("heading", name="Payment of 1,300.00")).to_be_visible()


def owing(app: Flask, open_page: Callable[..., Page], amount: str, **partner_like: str) -> tuple[Page, str]:
    """A page signed in at a partner whose customer owes one invoice, and the address of the form."""
    with app.app_context():
        partner = factories.tenant(slug="northwind", **partner_like)
        person = factories.member(partner)
        with factories.inside(partner):
            customer = factories.customer(factories.integration(app), name="Adatum")
            customer_id = customer.id
            factories.invoice(customer, amount, number="INV-1", autotask_number="INV-1")
        cookie = cookie_of(app, person)
    page = open_page()
    page.context.add_cookies(
        [{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "domain": "127.0.0.1", "path": "/"}]
    )
    return page, f"/p/northwind/payments/new?customer={customer_id}"


def words(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).inner_text().split())
