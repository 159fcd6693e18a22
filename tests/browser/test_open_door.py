"""Other systems bring invoices in and hear what happened, clicked through: a file, and a webhook."""

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.extensions import db
from portal.models import Customer, Invoice, Tenant, WebhookEndpoint
from portal.webhooks import send
from tests import factories
from tests.browser.serving import look, serve
from tests.fixtures.people import cookie_of
from tests.webhooks.receiver import Receiver, listening, receiver

__all__ = ["listening", "receiver"]
pytestmark = pytest.mark.browser
LOOKS = [(1280, "light", True), (390, "dark", False)]
REPORT = """\
Date,Transaction type,Num,Name,Due date,Amount
11/02/2026,Invoice,1001,Fabrikam,12/02/2026,"$1,234.50"
11/03/2026,Credit memo,1002,Fabrikam,,($34.50)
11/04/2026,Invoice,1003,Nobody,12/02/2026,$10.00
TOTAL,,,,,"$1,210.00"
"""


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        made = factories.tenant("northwind", name="Northwind IT")
        with factories.inside(made):
            factories.customer(name="Fabrikam", external_id="F-1")
            db.session.commit()
        return made


@pytest.fixture
def owner(app: Flask, partner: Tenant, open_page: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """The owner's browser, at a page of the partner's."""
    with serve(app) as served:

        def at(path: str, width: int, scheme: str, script: bool) -> Page:
            page = open_page(width, scheme, script)
            with app.app_context():
                cookie = cookie_of(app, factories.member(partner))
            name = app.config["SESSION_COOKIE_NAME"]
            page.context.add_cookies([{"name": name, "value": cookie, "url": served}])
            page.goto(f"{served}/p/northwind/{path}")
            return page

        yield at


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_a_report_is_uploaded_looked_at_taken_in_and_undone(
    app: Flask, partner: Tenant, owner: Callable[..., Page], width: int, scheme: str, script: bool
) -> None:
    def numbers() -> list[str]:
        with app.app_context(), factories.inside(partner):
            return sorted(row.number for row in db.session.query(Invoice))

    page = owner("imports", width, scheme, script)
    page.get_by_role("link", name="Upload a file").click()
    page.get_by_label("CSV file").set_input_files(
        {"name": "Invoices.csv", "mimeType": "text/csv", "buffer": REPORT.encode("utf-16")}
    )
    look(page, f"upload-{width}")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="Columns of Invoices.csv")).to_be_visible()
    expect(page.get_by_label("Total with tax").locator("option:checked")).to_have_text(
        "Amount (like $1,234.50)"
    )
    look(page, f"columns-{width}")
    page.get_by_role("button", name="See what it will change").click()
    expect(page.get_by_text("There is no customer Nobody.")).to_be_visible()
    look(page, f"looked-at-{width}")
    assert numbers() == []
    page.get_by_role("button", name="Take in 2 invoices").click()
    expect(page.get_by_text("This file was taken in")).to_be_visible()
    assert numbers() == ["1001", "1002"]
    page.locator("summary", has_text="More actions").click()
    page.get_by_role("link", name="Undo this upload").click()
    expect(page.get_by_role("heading", name="Undo Invoices.csv?")).to_be_visible()
    page.get_by_role("button", name="Undo the upload").click()
    expect(page.get_by_text("This upload was undone")).to_be_visible()
    assert numbers() == []


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_a_webhook_is_tested_saved_told_and_told_again(
    app: Flask,
    partner: Tenant,
    owner: Callable[..., Page],
    receiver: Receiver,
    width: int,
    scheme: str,
    script: bool,
) -> None:
    def go_out() -> None:
        with app.app_context():
            with factories.inside(partner):
                endpoint = db.session.query(WebhookEndpoint).one().id
                db.session.rollback()
            send.drain(partner.id, endpoint)

    page = owner("settings/webhooks", width, scheme, script)
    page.get_by_role("link", name="Add a webhook").click()
    page.get_by_label("Name", exact=True).fill("ERP")
    page.get_by_label("Address", exact=True).fill(f"http://127.0.0.1:9/{receiver.authority}")
    page.get_by_label(re.compile(r"\(invoice\.created\)")).check()
    page.get_by_role("button", name="Test and save").click()
    expect(page.locator("[aria-invalid]")).to_have_count(1)
    look(page, f"webhook-refused-{width}")
    page.get_by_label("Address", exact=True).fill(receiver.url)
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("heading", name="ERP")).to_be_visible()
    with app.app_context(), factories.inside(partner):
        factories.invoice(db.session.query(Customer).one(), "100.00", number="INV-1")
        db.session.commit()
    go_out()
    page.reload()
    look(page, f"webhook-{width}")
    page.locator("#webhook-messages tbody a").first.click()
    expect(page.get_by_text("Taken").first).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Waiting").first).to_be_visible()
    go_out()
    page.reload()
    expect(page.locator("#tries tbody tr")).to_have_count(2)
    look(page, f"webhook-message-{width}")
    first, again = receiver.ids[1:]
    assert first == again, "the same event, told once more under its id"
