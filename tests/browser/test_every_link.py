"""Every page that a person can reach by links: answers, has one heading, no faults for axe, fits the screen."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page

from portal import clock
from portal.extensions import db
from portal.models import Tenant
from tests import factories
from tests.browser.serving import serve

pytestmark = pytest.mark.browser
SLUG = "linked"
MOST_PAGES = 60
NUMBER = re.compile(r"\d+")
DOWNLOAD = re.compile(r"\.csv$|\.json$|/pdf$")
Faults = Callable[[Page], list[str]]


@pytest.fixture
def partner(app: Flask) -> Tenant:
    """A partner with an open, a part-paid and a paid invoice, a credit, and payments on their way."""
    today = clock.today("UTC")
    with app.app_context():
        tenant = factories.tenant(slug=SLUG, name="Northwind Managed IT", time_zone="Europe/Berlin")
        with factories.inside(tenant):
            connected = factories.integration(app)
            adatum = factories.customer(connected, name="Adatum Dental Group")
            open_one = factories.invoice(adatum, "1204.50", due_on=today - timedelta(days=12))
            factories.line(open_one, "1204.50", name="Managed workstation", description="x" * 90)
            paid_one = factories.invoice(adatum, "250.00", due_on=today)
            factories.invoice(factories.customer(connected, name="Contoso"), "-80.00")
            factories.payment((open_one, "200.00"))
            factories.payment((paid_one, "250.00"))
        factories.member(tenant, name="Dana Whitfield")
        db.session.refresh(tenant)
    return tenant


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_every_page_reached_by_links_is_sound(
    app: Flask,
    partner: Tenant,
    log_in: Callable[..., FlaskClient],
    open_page: Callable[..., Page],
    accessibility_faults: Faults,
    width: int,
    scheme: str,
) -> None:
    page = open_page(width, scheme)
    with serve(app) as address:
        _carry_login(page, log_in(partner), app, address)
        seen, faults = _walk(page, address, f"/p/{SLUG}/", accessibility_faults, f"{scheme}-{width}")
    assert faults == []
    assert len(seen) >= 8


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark")])
def test_login_and_the_pages_of_support_are_sound(
    app: Flask,
    partner: Tenant,
    visit: Callable[[Tenant], FlaskClient],
    open_page: Callable[..., Page],
    accessibility_faults: Faults,
    width: int,
    scheme: str,
) -> None:
    page, name = open_page(width, scheme), f"support-{scheme}-{width}"
    with serve(app) as address:
        faults = _look(page, f"{address}/login", accessibility_faults, name)
        _carry_login(page, visit(partner), app, address)
        for path in ("/staff/partners", f"/p/{SLUG}/", f"/p/{SLUG}/invoices"):
            faults += _look(page, address + path, accessibility_faults, name)
    assert faults == []


def _walk(page: Page, address: str, start: str, faults: Faults, name: str) -> tuple[set[str], list[str]]:
    """Follow links, one of each kind: pages that differ only in a number look alike."""
    waiting, seen, found = [start], {_kind(start)}, []
    while waiting and len(seen) < MOST_PAGES:
        found += _look(page, address + waiting.pop(0), faults, name)
        for path in _links(page):
            if _kind(path) not in seen:
                seen.add(_kind(path))
                waiting.append(path)
    return seen, found


def _look(page: Page, url: str, faults: Faults, name: str) -> list[str]:
    answer = page.goto(url)
    assert answer is not None
    _keep_picture(page, url, name)
    if answer.status != 200:
        return [f"{url}: status {answer.status}"]
    found = [f"{url}: {fault}" for fault in faults(page)]
    if page.locator("h1").count() != 1:
        found.append(f"{url}: {page.locator('h1').count()} headings of the first order")
    if (wide := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
        found.append(f"{url}: sticks out by {wide}")
    return found


def _links(page: Page) -> list[str]:
    """Addresses of this site that show a page: no downloads."""
    parts = [urlsplit(link) for link in page.evaluate("[...document.links].map(link => link.href)")]
    here = urlsplit(page.url).netloc
    return [part.path for part in parts if part.netloc == here and not DOWNLOAD.search(part.path)]


def _kind(path: str) -> str:
    return NUMBER.sub("#", path)


def _carry_login(page: Page, client: FlaskClient, app: Flask, address: str) -> None:
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])


def _keep_picture(page: Page, url: str, name: str) -> None:
    """With SCREENSHOTS=folder each page is also kept as a picture, to be looked at."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        words = _kind(urlsplit(url).path).strip("/").replace("/", "-") or "start"
        page.screenshot(path=Path(folder, f"{words}-{name}.png"), full_page=True)
