"""Work ends while every page that shows it is open: each then says, word for word, what a reload says."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from difflib import unified_diff
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal import clock, formatters
from portal.extensions import db
from portal.models import Tenant
from tests import factories
from tests.browser import books
from tests.browser.serving import serve
from tests.browser.test_pages import signed_in
from tests.browser.work import ACTS, end_delivery, open_work, resolve
from tests.rules.test_live_pages import FILES, STILL

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Pages there ask when a test says so and not by themselves: a dozen open ones would keep the machine busy.

    Words such as "3 minutes ago" stand still, so that none changes between two looks.
    """
    begun = clock.now()
    monkeypatch.setattr(formatters, "clock", SimpleNamespace(now=lambda: begun))
    for pace in ("SOON", "LATER"):
        monkeypatch.setitem(app.jinja_env.globals, pace, 600)
    with serve(app) as address:
        yield address


@pytest.mark.in_turn(4)
@pytest.mark.parametrize("act", ACTS)
def test_an_open_page_says_what_a_reload_says(
    app: Flask, served: str, open_page: OpenPage, visit: Callable[..., Any], act: str
) -> None:
    """One piece of work after the other ends, and every page that shows it stays open all the while."""
    ids, pages, wrong = open_work(app, visit), {}, dict[tuple[str, str], list[str]]()
    first = open_page()
    signed_in(app, first, served, "dana@harbour.example")
    for work in ACTS[act]:
        for path in work.seen_on:
            pages[path] = pages.get(path) or opened(first, f"{served}/p/{books.SLUG}/{path.format(**ids)}")
        before = {path: asked(pages[path]) for path in work.seen_on}
        with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
            work.end(ids)
            db.session.commit()
        for path in work.seen_on:
            shown = asked(pages[path])
            pages[path].reload()
            if shown != (reloaded := words(pages[path])):
                wrong[work.end.__name__, path] = [
                    *unified_diff(shown.split("\n"), reloaded.split("\n"), n=0)
                ][2:]
            elif shown == before[path]:
                wrong[work.end.__name__, path] = ["says nothing of it"]
    assert wrong == {}


def test_every_live_page_is_open_while_some_work_ends(app: Flask) -> None:
    """The guard over all routes: a new live page has to show the end of some kind of work."""
    routes = app.url_map.bind("localhost")
    ids: Any = defaultdict(lambda: 1)
    opened = {
        routes.match(f"/p/{books.SLUG}/{path.partition('?')[0].format_map(ids)}")[0]
        for work in chain(*ACTS.values())
        for path in work.seen_on
    }
    live = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "partner_slug" in rule.arguments and "GET" in (rule.methods or ())
    }
    assert live - set(STILL) - FILES - opened == set()


def test_an_open_page_is_not_drawn_anew_under_a_persons_hands(
    app: Flask, served: str, open_page: OpenPage, visit: Callable[..., Any]
) -> None:
    ids = open_work(app, visit)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    page.goto(f"{served}/p/{books.SLUG}/exceptions")
    page.get_by_label("Reason for resolving").fill("Half a sen")
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        resolve(ids)
        db.session.commit()
    page.evaluate("document.activeElement.blur(); htmx.trigger('#live', 'live-now')")
    page.wait_for_timeout(300)
    expect(page.get_by_label("Reason for resolving")).to_have_value("Half a sen")


def test_an_open_page_asks_by_itself(
    app: Flask, served: str, open_page: OpenPage, visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the beat itself and no nudge: what ended shows within seconds."""
    for pace in ("SOON", "LATER"):
        monkeypatch.setitem(app.jinja_env.globals, pace, 1)
    ids = open_work(app, visit)
    page = open_page()
    signed_in(app, page, served, "dana@harbour.example")
    page.goto(f"{served}/p/{books.SLUG}/deliveries/{ids['delivery']}")
    expect(page.locator("#way")).not_to_contain_text("read back")
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        end_delivery(ids)
        db.session.commit()
    expect(page.locator("#way")).to_contain_text("read back in Autotask", timeout=15_000)


def ask(page: Page) -> None:
    """Lets the page ask whether it is still true, now instead of with its next beat."""
    page.evaluate(
        """() => new Promise((done) => {
            setTimeout(done, 30000);
            document.addEventListener("htmx:afterRequest", (event) => {
                if (event.detail.xhr.status === 200) document.addEventListener("htmx:afterSettle", () => setTimeout(done, 60));
                else done();
            }, { once: true });
            htmx.trigger("#live", "live-now");
        })"""
    )


def opened(beside: Page, address: str) -> Page:
    page = beside.context.new_page()
    page.goto(address)
    return page


def asked(page: Page) -> Any:
    page.bring_to_front()
    ask(page)
    return words(page)


def words(page: Page) -> Any:
    return page.evaluate("document.querySelector('.frame').innerText")
