"""A person is invited, logs in for the first time, sets up an authenticator app, is seen in the team, and is removed."""

import re
from collections.abc import Callable, Iterator

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal import clock
from portal.access import security_events, sessions, totp
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Mail, Tenant
from tests import factories
from tests.browser.conftest import wear
from tests.browser.serving import look, serve
from tests.fixtures.people import cookie_of

pytestmark = pytest.mark.browser
OLGA, NORA = "olga@northwind.example", "nora@northwind.example"
SECRET, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "seven green kettles hum"


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    with app.app_context():
        owner = db.session.merge(
            factories.member(factories.tenant("northwind"), email=OLGA, name="Olga Owner")
        )
        totp.add(owner, "My phone", SECRET)
        owner.second_factor_at = clock.now()
        db.session.commit()
        db.session.remove()
    with serve(app) as address:
        yield address


def log_in(page: Page, served: str, email: str, password: str) -> None:
    page.goto(f"{served}/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def mailed(app: Flask) -> str:
    """The path in the invitation that waits."""
    with app.app_context():
        partner = db.session.scalars(db.select(Tenant).where(Tenant.slug == "northwind")).one()
        with tenant_scope(partner.id):
            mail = db.session.scalars(db.select(Mail).where(Mail.kind == "invitation")).one()
            return outbox.link_of(mail) or ""


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("width", "scheme", "script"), [(1280, "light", False), (390, "dark", False), (1280, "dark", True)]
)
def test_from_invitation_to_removal(
    app: Flask, served: str, open_page: Callable[..., Page], width: int, scheme: str, script: bool
) -> None:
    owner, nora = (open_page(width, scheme, script) for _ in range(2))
    people = f"{served}/p/northwind/settings/people"
    log_in(owner, served, OLGA, factories.PASSWORD)
    owner.get_by_label("Code").first.fill(pyotp.TOTP(SECRET).now())
    owner.get_by_role("button", name="Go on").first.click()
    owner.goto(people)
    owner.get_by_label("E-mail address").fill(NORA)
    owner.get_by_label(re.compile("Manager")).check()
    owner.get_by_role("button", name="Send invitation").click()
    expect(owner.get_by_text("An invitation is written")).to_be_visible()

    nora.goto(served + mailed(app))
    nora.get_by_label("Your name").fill("Nora New")
    nora.get_by_label(re.compile("assword")).first.fill(NEW)
    nora.get_by_role("button", name="Make my login").click()
    log_in(nora, served, NORA, NEW)
    nora.get_by_role("link", name="Use an authenticator app").click()
    nora.get_by_text("I cannot scan it").click()
    secret = nora.locator("code.key").inner_text().replace(" ", "")
    nora.get_by_label("Code that the app shows now").fill(pyotp.TOTP(secret).now())
    nora.get_by_role("button", name="Set it up").click()
    expect(nora.locator("ul.codes li")).to_have_count(8)
    nora.get_by_role("link", name="I have kept them").click()
    expect(nora).to_have_url(re.compile("/p/northwind/"))

    owner.goto(people)
    row = owner.locator("#people tr", has_text="Nora New")
    expect(row.get_by_text("Set up")).to_be_visible()
    row.locator("summary").click()
    row.get_by_text("Remove").click()
    owner.get_by_role("button", name="Remove Nora New").click()
    expect(owner.get_by_text("is removed and logged out")).to_be_visible()
    nora.goto(f"{served}/p/northwind/")
    expect(nora).to_have_url(re.compile("/login"))


def test_what_is_long_stays_within_the_page(app: Flask, served: str, open_page: Callable[..., Page]) -> None:
    """The table of roles, an API key, and a staff person with whom everything can be done."""
    with app.app_context():
        olga = sessions.find_user(OLGA)
        ada = factories.user("ada@portal.example", staff=True, staff_admin=True, name="Ada Admin")
        factories.user("long.name.of.somebody@portal.example", staff=True, name="Tess Tester")
        security_events.record(db.session.merge(olga), security_events.FACTORS_TO_GO)
        db.session.commit()
        cookies = [cookie_of(app, person) for person in (db.session.merge(olga), ada)]
    page = open_page()

    def stays(cookie: str, path: str) -> None:
        name = app.config["SESSION_COOKIE_NAME"]
        page.context.add_cookies([{"name": name, "value": cookie, "url": served}])
        page.goto(served + path)
        for opened in page.locator("main details > summary").all():
            opened.click()
        if path.endswith("settings"):
            keys = page.locator("#api-keys")
            keys.get_by_label("Name").fill("Checkout")
            keys.get_by_role("checkbox").first.check()
            keys.get_by_role("button", name="Make key").click()
            expect(page.get_by_role("heading", name="API key “Checkout”")).to_be_visible()
        for width, scheme in ((1280, "light"), (390, "dark")):
            wear(page, width, scheme)
            look(page, f"long-{path.rpartition('/')[2]}-{width}")
            over = page.evaluate(
                """() => [...document.querySelectorAll("main *")].filter(one => one.offsetParent && !one.closest(".visually-hidden, thead")
                    && one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 80))"""
            )
            assert over == [], (path, width)

    stays(cookies[0], "/you")
    stays(cookies[0], "/p/northwind/settings/people")
    stays(cookies[0], "/p/northwind/settings")
    stays(cookies[1], "/staff/people")


def test_an_open_page_that_may_not_be_seen_any_more_goes_away(
    app: Flask, served: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    with app.app_context():
        cookie = cookie_of(app, db.session.merge(sessions.find_user(OLGA)))
    page.context.add_cookies([{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "url": served}])
    page.goto(f"{served}/p/northwind/activity")
    with app.app_context():
        partner = db.session.scalars(db.select(Tenant).where(Tenant.slug == "northwind")).one()
        partner.disabled_at, partner.disabled_reason = clock.now(), "Contract ended"
        db.session.commit()
    page.evaluate("htmx.trigger(document.getElementById('live'), 'live-now')")
    expect(page.get_by_role("heading", name="is disabled")).to_be_visible()
