"""What a browser asks the server for, the first time and when it has been here before."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page

from portal.extensions import db
from portal.models import Tenant
from tests import factories
from tests.browser import books
from tests.browser.serving import serve
from tests.browser.test_pages import signed_in

pytestmark = pytest.mark.browser


@pytest.fixture
def asked_for() -> list[str]:
    return []


@pytest.fixture
def served(app: Flask, asked_for: list[str]) -> Iterator[str]:
    def counting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_X_PORTAL_POLL" not in environ:  # the page before may ask for itself once more while it goes
            asked_for.append(environ["PATH_INFO"])
        return app(environ, start_response)

    with serve(counting) as address:
        yield address


def test_a_visit_asks_for_each_file_once_and_then_for_the_page_alone(
    app: Flask, served: str, asked_for: list[str], open_page: Callable[..., Page]
) -> None:
    ids = books.open_books(app)
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        factories.member(db.session.get_one(Tenant, ids["partner"]), email="pat@harbour.example")
    page = open_page()
    signed_in(app, page, served, "pat@harbour.example")
    addresses = [
        f"/p/{books.SLUG}/{name}" for name in ("", "invoices", "customers", "payments", "exceptions")
    ]
    seen = []
    for address in addresses:
        asked_for.clear()
        page.goto(served + address, wait_until="networkidle")
        seen.append(list(asked_for))
    assert len(seen[0]) == len(set(seen[0])) <= 7
    assert seen[1:] == [[address] for address in addresses[1:]]
