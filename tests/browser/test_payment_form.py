"""Recording a payment: the amount is what the person typed, and what is left of it is told while they allocate."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.extensions import db
from portal.models import Customer, Tenant
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
