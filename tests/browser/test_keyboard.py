"""People, second factors and stepping in, by keyboard alone: every control is reached, seen, and left again."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal import clock
from portal.access import totp
from portal.extensions import db
from portal.models import Invitation, Membership, SupportVisit, Tenant, User
from tests import factories
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of

pytestmark = pytest.mark.browser
OLGA, CLEO, KIM = "olga@northwind.example", "cleo@northwind.example", "kim@portal.example"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# What Tab stops at: of each group of radio buttons the chosen one, or the first.
STOPS = """() => {
  const place = document.querySelector("dialog[open]") || document;
  const all = [...place.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  const stops = all.filter((one) => !one.disabled && one.type !== "hidden" && one.tabIndex >= 0
    && one.checkVisibility({visibilityProperty: true}));
  const group = (one) => [...(one.form || document).elements].filter((other) => other.name === one.name);
  return stops.filter((one) => one.type !== "radio"
    || one === (group(one).find((other) => other.checked) || group(one)[0])).map(window.named);
}"""
# How the browser's focus is named and drawn: what tells is that something about it, or beside it, looks different.
SET_UP = """() => {
  window.named = (one) => {
    const words = one.labels && one.labels[0] ? one.labels[0].textContent : one.getAttribute("aria-label") || one.textContent;
    return `${one.tagName.toLowerCase()} ${words.trim().replace(/\\s+/g, " ").slice(0, 60)}`;
  };
  window.drawn = (one) => [one, one.nextElementSibling, one.closest("label"), one.parentElement].map((part) => {
    const style = part && getComputedStyle(part);
    return style && [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor].join();
  }).join(";");
  window.walked = new Map();
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one.matches("dialog")) return null;
  const box = one.getBoundingClientRect();
  const again = window.walked.has(one);
  window.walked.set(one, window.drawn(one));
  const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const covered = hit && !hit.contains(one) && !one.contains(hit) && !(one.labels && [...one.labels].includes(hit.closest("label")));
  const seen = hit && !covered && box.height > 0;
  return {named: window.named(one), again, seen, inside: !!one.closest("dialog[open]")};
}"""
UNMARKED = """() => {
  if (document.activeElement) document.activeElement.blur();
  return [...window.walked].filter(([one, style]) => one.isConnected && window.drawn(one) === style)
    .map(([one]) => window.named(one));
}"""


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    with app.app_context():
        partner = factories.tenant("northwind", name="Northwind IT")
        owner = db.session.merge(factories.member(partner, email=OLGA, name="Olga Owner"))
        totp.add(owner, "My phone", SECRET)
        owner.second_factor_at = clock.now()
        factories.member(partner, "clerk", email=CLEO, name="Cleo Clerk")
        factories.user(KIM, staff=True, name="Kim Staff")
        db.session.commit()
        db.session.remove()
    with serve(app) as address:
        yield address


@pytest.fixture
def sign_in(app: Flask, served: str, open_page: Callable[..., Page]) -> Callable[[str], Page]:
    def signed_in(email: str) -> Page:
        page = open_page()
        with app.app_context():
            cookie = cookie_of(app, db.session.scalars(db.select(User).where(User.email == email)).one())
        name = app.config["SESSION_COOKIE_NAME"]
        page.context.add_cookies([{"name": name, "value": cookie, "url": served}])
        return page

    return signed_in


def in_partner(app: Flask, column: Any) -> list[Any]:
    """The values of a column, of all rows of the partner."""
    with app.app_context():
        partner = db.session.scalars(db.select(Tenant).where(Tenant.slug == "northwind")).one()
        with factories.inside(partner):
            return list(db.session.scalars(db.select(column)))


def focused(page: Page) -> dict[str, Any] | None:
    if not page.evaluate("'walked' in window"):
        page.evaluate(SET_UP)
    found: dict[str, Any] | None = page.evaluate(FOCUSED)
    return found


def walk(page: Page) -> None:
    """Once round the page, or the open dialog: each stop is reached in turn, seen where it is, and marked."""
    page.evaluate(SET_UP)
    wanted, reached = page.evaluate(STOPS), []
    in_dialog = page.evaluate("!!document.querySelector('dialog[open]')")
    if not in_dialog:
        page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
    for _ in range(2 * len(wanted) + 6):
        page.keyboard.press("Tab")
        stop = focused(page)
        if stop is None:
            continue
        if stop["again"]:
            break
        assert stop["seen"], f"{stop['named']} has the focus and is out of sight"
        assert stop["inside"] == in_dialog, stop["named"]
        reached.append(stop["named"])
    else:
        raise AssertionError(f"the focus never came round: {reached}")
    assert sorted(reached) == sorted(wanted)
    assert page.evaluate(UNMARKED) == []


def tab_to(page: Page, words: str) -> None:
    """Tab by Tab until the focus is on what these words begin."""
    passed = []
    for _ in range(120):
        stop = focused(page)
        if stop is not None:
            assert stop["seen"], stop["named"]
            passed.append(stop["named"])
            if re.match(rf"\w+ {words}", stop["named"]):
                return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to “{words}”, only to {passed}")


def press(page: Page, words: str, key: str = "Enter") -> None:
    tab_to(page, words)
    page.keyboard.press(key)


def open_menu(page: Page, name: str, item: str) -> None:
    press(page, f"Actions for {name}")
    press(page, item)
    expect(page.locator("dialog[open]")).to_be_visible()


def test_people_are_invited_get_another_role_and_are_removed(app: Flask, served: str, sign_in) -> None:
    page = sign_in(OLGA)
    page.goto(f"{served}/p/northwind/settings")
    press(page, "Invite and manage people")
    page.wait_for_url("**/settings/people")
    walk(page)
    tab_to(page, "E-mail address")
    page.keyboard.type("nora@northwind.example")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    press(page, "Send invitation", "Space")
    expect(page.get_by_text("An invitation is written")).to_be_visible()
    walk(page)
    assert in_partner(app, Invitation.email) == ["nora@northwind.example"]

    press(page, "Actions for Cleo Clerk", "Space")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Change role")).to_have_count(0)
    assert "Actions for Cleo" in (focused(page) or {})["named"]
    open_menu(page, "Cleo Clerk", "Change role")
    walk(page)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert "Change role" in (focused(page) or {"named": "nothing"})["named"]
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    tab_to(page, "Clerk")
    page.keyboard.press("ArrowDown")
    press(page, "Save role")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#people tr", has_text="Cleo Clerk")).to_contain_text("Reader")

    open_menu(page, "Cleo Clerk", "Remove")
    walk(page)
    press(page, "Keep them")
    expect(page.locator("dialog[open]")).to_have_count(0)
    open_menu(page, "Cleo Clerk", "Remove")
    press(page, "Remove Cleo Clerk", "Space")
    expect(page.get_by_text("is removed and logged out")).to_be_visible()
    assert in_partner(app, Membership.role) == ["owner"]


def test_a_login_and_its_second_factors(app: Flask, served: str, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{served}/login")
    walk(page)
    page.reload()
    expect(page.get_by_label("E-mail address")).to_be_focused()  # by itself
    page.keyboard.type(OLGA)
    page.keyboard.press("Tab")
    page.keyboard.type(factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    walk(page)
    press(page, "I have none of these any more", "Space")
    walk(page)
    tab_to(page, "Code")
    page.keyboard.type(pyotp.TOTP(SECRET).now())
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/northwind/")
    page.goto(f"{served}/you")
    walk(page)
    page.goto(f"{served}/you/factors")
    walk(page)
    press(page, "Use an authenticator app")
    page.wait_for_url("**/factors/authenticator*")
    press(page, "I cannot scan it")
    walk(page)
    secret = page.locator("code.key").inner_text().replace(" ", "")
    tab_to(page, "Code that the app shows now")
    page.keyboard.type(pyotp.TOTP(secret).now())
    tab_to(page, "Name")
    page.keyboard.type("Tablet")
    press(page, "Set it up")
    expect(page.locator("ul.codes li")).to_have_count(8)
    walk(page)
    press(page, "I have kept them")
    expect(page.locator("#factors")).to_contain_text("Tablet")
    press(page, "Remove Tablet")
    expect(page.get_by_role("heading", name="Remove “Tablet”?")).to_be_visible()
    walk(page)
    press(page, "Remove it", "Space")
    expect(page.locator("#factors")).not_to_contain_text("Tablet")


def test_support_steps_in_and_stops(app: Flask, served: str, sign_in) -> None:
    page = sign_in(KIM)
    page.goto(f"{served}/staff/partners/northwind/visit")
    walk(page)
    tab_to(page, "Why do you step in")
    page.keyboard.type("They see no invoice, caller is Olga")
    tab_to(page, "As whom")
    page.keyboard.press("ArrowDown")
    press(page, "Step in", "Space")
    expect(page.locator(".support-bar")).to_contain_text("Kim Staff")
    walk(page)
    press(page, "Stop", "Space")
    expect(page.get_by_text("The visit has ended.")).to_be_visible()
    walk(page)
    assert all(in_partner(app, SupportVisit.ended_at))
