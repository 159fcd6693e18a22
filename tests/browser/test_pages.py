"""Every page of a partner in a real browser: axe finds nothing, nothing sticks out.

With SCREENSHOTS=<folder> each look is kept as a picture.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page

from portal.extensions import db
from portal.models import User
from tests.browser import books
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
PAGES = {
    "home": "",
    "invoices": "invoices",
    "invoices-all": "invoices?show=all",
    "invoices-none": "invoices?q=nothing+like+this",
    "invoice-paid": "invoices/{paid}",
    "invoice-part-paid": "invoices/{part}",
    "invoice-waiting": "invoices/{waiting}",
    "invoice-stuck": "invoices/{stuck}",
    "invoice-credit": "invoices/{credit}",
    "customers": "customers",
    "customer": "customers/{customer}",
    "payments": "payments?show=all",
    "payment-confirmed": "payments/{payment_confirmed}",
    "payment-waiting": "payments/{payment_waiting}",
    "payment-deleted": "payments/{payment_deleted}",
    "payment-stuck": "payments/{payment_stuck}",
    "record-payment": "payments/new?invoice={open}",
    "record-payment-customer": "payments/new?customer={customer}",
    "record-payment-who": "payments/new",
    "delete-payment": "payments/{payment_part}/delete",
    "upload-payments": "payments/upload",
    "apply-credit": "credits/new?credit_id={credit}",
    "reconciliation": "reconciliation",
    "reconciliation-past": "reconciliation?as_of=2026-01-01&month=2026-01",
    "activity": "activity",
    "search": "search?q=104",
    "settings": "settings",
}
LOOKS = [(1280, "light"), (390, "dark")]
EVERY_LOOK = [*LOOKS, (1280, "dark"), (390, "light")]


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The address of the app under test."""
    with serve(app) as address:
        yield address


def signed_in(app: Flask, page: Page, served: str, email: str) -> None:
    with app.app_context():
        person = db.session.query(User).filter_by(email=email).one()
    cookie = cookie_of(app, person)
    page.context.add_cookies([{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "url": served}])


@pytest.mark.parametrize(("width", "scheme"), EVERY_LOOK if os.environ.get("SCREENSHOTS") else LOOKS)
def test_axe_finds_nothing_on_any_page_and_nothing_sticks_out(
    app: Flask,
    served: str,
    open_page: OpenPage,
    accessibility_faults: Callable[[Page], list[str]],
    width: int,
    scheme: str,
) -> None:
    ids = books.open_books(app)
    page = open_page(width, scheme)
    signed_in(app, page, served, "dana@harbour.example")
    found: dict[str, list[str]] = {}
    for name, path in wanted().items():
        answer = page.goto(f"{served}/p/{books.SLUG}/{path.format(**ids)}")
        assert answer is not None
        faults = accessibility_faults(page) if answer.status == 200 else [f"status {answer.status}"]
        if (sticking := page.evaluate("document.documentElement.scrollWidth")) > width:
            faults.append(f"sticks out to {sticking}")
        if faults:
            found[name] = faults
        keep(page, f"{name}-{width}-{scheme}")
    assert found == {}


def wanted() -> dict[str, str]:
    """All pages, or those that PAGES names (comma separated): for looking at a few."""
    names = os.environ.get("PAGES")
    return {name: PAGES[name] for name in names.split(",")} if names else PAGES


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
