"""The menu of a table's row opens over the page, however narrow the table's place is."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page

from tests import factories
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of

pytestmark = pytest.mark.browser
SEEN = """panel => [...panel.querySelectorAll('.menu-item')].every(item => {
  const box = item.getBoundingClientRect();
  return panel.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2));
})"""


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("width", [390, 800, 1100, 1280])
def test_the_last_rows_menu_is_seen_whole(app: Flask, open_page: Callable[..., Page], width: int):
    with app.app_context():
        partner = factories.tenant("northwind")
        owner = factories.member(partner, name="Olga Owner")
        factories.member(
            partner, "reader", name="Rosa Reader", email="a.rather.long.address@northwind.example"
        )
    with serve(app) as address:
        page = open_page(width, "light")
        name = app.config["SESSION_COOKIE_NAME"]
        page.context.add_cookies([{"name": name, "value": cookie_of(app, owner), "url": address}])
        page.goto(f"{address}/p/northwind/settings/people")
        last = page.locator("#people details[data-menu]").last
        height = page.locator("#people .table-box").evaluate("box => box.getBoundingClientRect().height")
        last.locator("summary").click()
        assert last.locator(".menu-panel").evaluate(SEEN)
        assert (
            page.locator("#people .table-box").evaluate("box => box.getBoundingClientRect().height") == height
        )
        page.keyboard.press("Escape")
        assert last.get_attribute("open") is None
