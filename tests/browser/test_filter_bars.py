"""A filter draws its list anew and leaves the rest of the page alone, on every page that has one."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, Request

from tests.browser import books
from tests.browser.test_live_pages import served as served
from tests.browser.test_pages import signed_in

pytestmark = pytest.mark.browser


def lists(app: Flask) -> list[str]:
    """The addresses of all of a partner's pages that need nothing but the partner."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.arguments == {"partner_slug"}]
    found = [
        rule.rule.replace("<partner_slug>", books.SLUG) for rule in rules if "GET" in (rule.methods or ())
    ]
    return sorted(path for path in found if not path.endswith((".csv", ".json")))


def test_every_filter_asks_for_its_list_alone(
    app: Flask, served: str, open_page: Callable[..., Page]
) -> None:
    """An open page asks for all of itself by a header, which htmx hands down to everything inside."""
    books.open_books(app)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "hx-request" in request.headers else None)
    tried = 0
    for path in lists(app):
        if 'class="filter-bar"' not in page.request.get(served + path).text():
            continue
        page.goto(served + path)
        if not page.locator(".filter-bar[hx-get]").count():  # one that loads the page is none of htmx's
            continue
        asked.clear()
        with page.expect_response(lambda answer: "hx-request" in answer.request.headers):
            page.locator(".filter-bar").evaluate("form => htmx.trigger(form, 'submit')")
        page.wait_for_load_state("networkidle")
        tried += 1
        assert [one.headers.get("x-portal-poll") for one in asked] == [None], path
        assert (page.locator("h1").count(), page.locator(".filter-bar").count()) == (1, 1), path
    assert tried >= 6
