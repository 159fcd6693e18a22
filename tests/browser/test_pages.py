"""Every page of a partner in a real browser: axe finds nothing, nothing sticks out, one heading of the first order.

With SCREENSHOTS=<folder> each look is kept as a picture; PAGES=<name>,<name> looks at a few only.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page

from portal.extensions import db
from portal.models import Tenant, User
from tests.browser import books
from tests.browser.conftest import wear
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of
from tests.how_many import is_played

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
Faults = Callable[[Page], list[str]]
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
MOST_PAGES = 60
NUMBER, ID = re.compile(r"\d+"), re.compile(r"{\w+}")
# Rows whose amount does not stand beside their name, as it does in a table and in the card that a narrow row becomes.
AMOUNTS_AWAY = """() => [...document.querySelectorAll("main .rows > tbody > tr:has(> th):has(> td.lead)")]
    .filter((row) => {
        const [name, amount] = ["th", "td.lead"].map((one) => row.querySelector(`:scope > ${one}`).getBoundingClientRect())
        return name.height && (amount.top >= name.bottom || name.top >= amount.bottom)
    })
    .map((row) => `${row.querySelector("th").innerText} stands away from its amount`)"""
DOWNLOAD = re.compile(r"\.csv$|\.json$|[/.]pdf$")


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The address of the app under test."""
    with serve(app) as address:
        yield address


def test_every_page_is_sound(
    app: Flask, served: str, open_page: OpenPage, accessibility_faults: Faults
) -> None:
    """Each page is loaded once and worn in its looks."""
    ids = books.open_books(app)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    found: dict[str, list[str]] = {}
    links: set[str] = set()
    for place, (name, path) in enumerate(wanted().items()):
        url = f"{served}/p/{books.SLUG}/{path.format(**ids)}"
        found[name] = look(page, url, accessibility_faults, looks_of(place), name)
        links |= set(links_of(page))
    assert {name: faults for name, faults in found.items() if faults} == {}
    walk(page, served, links, accessibility_faults)


def test_the_pages_of_support_are_sound(
    app: Flask,
    served: str,
    visit: Callable[[Tenant], FlaskClient],
    open_page: OpenPage,
    accessibility_faults: Faults,
) -> None:
    ids = books.open_books(app)
    page = open_page()
    with app.app_context():
        cookie = visit(db.session.get_one(Tenant, ids["partner"])).get_cookie(
            app.config["SESSION_COOKIE_NAME"]
        )
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": served}])
    for path in ("/staff/partners", f"/p/{books.SLUG}/"):
        assert look(page, served + path, accessibility_faults, [(1280, "dark")]) == []


def looks_of(place: int) -> list[tuple[int, str]]:
    """Every look where pictures are kept; else the two that differ most, each at its turn."""
    if os.environ.get("SCREENSHOTS"):
        return EVERY_LOOK
    return [look for number, look in enumerate(LOOKS) if is_played(2 * place + number, 6)]


def walk(page: Page, served: str, links: set[str], faults: Faults) -> None:
    """Follows every link that leads to a kind of page not listed above, and theirs."""
    seen = {kind(f"/p/{books.SLUG}/{ID.sub('1', path)}".split("?")[0]) for path in PAGES.values()}
    waiting, found = sorted(links), {}
    walked = 0
    while waiting and walked < MOST_PAGES:
        path = waiting.pop(0)
        if kind(path) in seen:
            continue
        seen.add(kind(path))
        walked += 1
        name, looks = kind(path).strip("/").replace("/", "-"), looks_of(walked)
        if faults_there := look(page, served + path, faults, looks, name):
            found[path] = faults_there
        waiting += links_of(page)
    assert found == {}
    assert walked >= 8


def look(page: Page, url: str, faults: Faults, looks: list[tuple[int, str]], name: str = "") -> list[str]:
    """What is wrong with the page in these looks, as width and scheme."""
    answer = page.goto(url)
    assert answer is not None
    if answer.status != 200:
        return [f"status {answer.status}"]
    headings = page.locator("h1").count()
    found = [] if headings == 1 else [f"{headings} headings of the first order"]
    for width, scheme in looks:
        wear(page, width, scheme)
        found += [f"{width} {scheme}: {fault}" for fault in faults(page)]
        found += [f"{width} {scheme}: {fault}" for fault in page.evaluate(AMOUNTS_AWAY)]
        if (wide := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            found.append(f"{width} {scheme}: sticks out by {wide}")
        keep(page, f"{name}-{width}-{scheme}")
    return found


def links_of(page: Page) -> list[str]:
    """Addresses of this site that show a page: no downloads."""
    parts = [urlsplit(link) for link in page.evaluate("[...document.links].map(link => link.href)")]
    here = urlsplit(page.url).netloc
    return [part.path for part in parts if part.netloc == here and not DOWNLOAD.search(part.path)]


def kind(path: str) -> str:
    """Pages that differ only in a number look alike."""
    return NUMBER.sub("#", path)


def signed_in(app: Flask, page: Page, served: str, email: str) -> None:
    with app.app_context():
        person = db.session.query(User).filter_by(email=email).one()
    cookie = cookie_of(app, person)
    page.context.add_cookies([{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "url": served}])


def wanted() -> dict[str, str]:
    """All pages, or those that PAGES names."""
    names = os.environ.get("PAGES")
    return {name: PAGES[name] for name in names.split(",")} if names else PAGES


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
