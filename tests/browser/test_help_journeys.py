"""People who need help, clicked through: a forgotten password, all factors lost, support that acts, mails of each kind."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from portal import clock
from portal.access import totp
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Mail, MailKind, Tenant, User
from portal.notices import sweep
from portal.people import lost_factors
from tests import factories
from tests.browser.serving import look, serve
from tests.fixtures.people import cookie_of
from tests.mail import written

pytestmark = pytest.mark.browser
SECRET, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "seven green kettles hum"
OLGA, CLEO, KIM = "olga@northwind.example", "cleo@northwind.example", "kim@portal.example"
LOOKS = [(1280, "light", True), (390, "dark", False)]
Open = Callable[..., Page]


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        made = factories.tenant("northwind", name="Northwind IT")
        factories.member(made, email=OLGA, name="Olga Owner")
        cleo = db.session.merge(factories.member(made, "clerk", email=CLEO, name="Cleo Clerk"))
        factories.user(KIM, staff=True, name="Kim Staff")
        totp.add(cleo, "My phone", SECRET)
        cleo.second_factor_at = clock.now()
        db.session.commit()
        with factories.inside(made):
            factories.invoice(factories.customer(factories.integration(app)), "100.00", number="INV-1")
        return made


@pytest.fixture
def served(app: Flask, partner: Tenant) -> Iterator[str]:
    with serve(app) as address:
        yield address


def sign_in(app: Flask, page: Page, served: str, email: str) -> Page:
    with app.app_context():
        cookie = cookie_of(app, db.session.scalars(db.select(User).where(User.email == email)).one())
    page.context.add_cookies([{"name": app.config["SESSION_COOKIE_NAME"], "value": cookie, "url": served}])
    return page


def log_in(page: Page, served: str, email: str, password: str) -> None:
    page.goto(f"{served}/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def mailed(app: Flask, kind: str) -> str:
    """The path in the newest mail of this kind that a person got."""
    with app.app_context(), people_scope():
        mail = db.session.scalars(db.select(Mail).where(Mail.kind == kind).order_by(Mail.id.desc())).first()
        assert mail is not None
        return outbox.link_of(mail) or ""


def fits(page: Page, width: int, name: str) -> None:
    look(page, f"{name}-{width}")
    body = page.locator("body").bounding_box()
    assert body is not None
    assert body["width"] <= width


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_a_forgotten_password(
    app: Flask, served: str, open_page: Open, width: int, scheme: str, script: bool
) -> None:
    page = open_page(width, scheme, script)
    page.goto(f"{served}/password/forgotten")
    expect(page.get_by_text("This portal has no mail server")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_count(0)
    fits(page, width, "forgotten-without-mail")
    app.config["MAIL"] = type("Server", (), {"sender": "portal@example.com"})()
    page.goto(f"{served}/login")
    page.get_by_role("link", name="I forgot my password").click()
    fits(page, width, "forgotten")
    page.get_by_label("E-mail address").fill(CLEO)
    page.get_by_role("button").first.click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    fits(page, width, "look-into-your-mail")
    page.goto(served + mailed(app, "password_reset"))
    page.get_by_label("New password").fill("cleo")
    page.get_by_role("button", name="Change my password").click()
    expect(page.get_by_label("New password")).to_be_visible()
    fits(page, width, "weak-password")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Change my password").click()
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    log_in(page, served, CLEO, NEW)
    page.get_by_label("Code").first.fill(pyotp.TOTP(SECRET).now())
    page.get_by_role("button", name="Go on").first.click()
    expect(page).to_have_url(re.compile("/p/northwind/"))


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_all_factors_lost(
    app: Flask, served: str, open_page: Open, width: int, scheme: str, script: bool
) -> None:
    cleo, owner = open_page(width, scheme, script), open_page(width, scheme, script)
    log_in(cleo, served, CLEO, factories.PASSWORD)
    cleo.get_by_text("I have none of these any more").click()
    cleo.get_by_role("link", name="Ask for that").click()
    fits(cleo, width, "lost-ask")
    cleo.get_by_role("button", name="Ask for it").click()
    expect(cleo.get_by_text("Now somebody who knows you")).to_be_visible()
    fits(cleo, width, "lost-asked")
    sign_in(app, owner, served, OLGA).goto(f"{served}/p/northwind/settings/people")
    fits(owner, width, "lost-people")
    owner.get_by_role("link", name=re.compile("make sure it is them")).click()
    fits(owner, width, "lost-owner")
    owner.get_by_label(re.compile("How did you make sure")).fill("I called her at the office")
    owner.get_by_label(re.compile("It is this person")).check()
    owner.get_by_role("button", name="I made sure that it is them").click()
    expect(owner.get_by_text("It is written down that you made sure")).to_be_visible()
    fits(owner, width, "lost-agreed")
    link = open_page(width, scheme, script)
    link.goto(served + mailed(app, "factors_to_go"))
    fits(link, width, "lost-link")
    with time_machine.travel(clock.now() + lost_factors.WAIT + timedelta(minutes=1)), app.app_context():
        lost_factors.settle_due()
    log_in(cleo, served, CLEO, factories.PASSWORD)
    expect(cleo).to_have_url(re.compile("/p/northwind/"))


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_support_acts_and_the_partner_sees_it(
    app: Flask, served: str, open_page: Open, width: int, scheme: str, script: bool
) -> None:
    owner, staff = (open_page(width, scheme, script) for _ in range(2))
    sign_in(app, owner, served, OLGA).goto(f"{served}/p/northwind/settings/support")
    owner.get_by_label("For how long?").select_option("4")
    owner.get_by_role("button", name="Let support act").click()
    expect(owner.get_by_text("Support may work in your name until")).to_be_visible()
    fits(owner, width, "consent")
    sign_in(app, staff, served, KIM).goto(f"{served}/staff/partners/northwind/visit")
    staff.get_by_label("Why do you step in?").fill("They cannot add a customer, caller is Olga")
    staff.get_by_role("radio", name=re.compile("Act:")).check()
    fits(staff, width, "step-in")
    staff.get_by_role("button", name="Step in").click()
    expect(staff.locator(".support-bar")).to_contain_text("can act")
    staff.goto(f"{served}/p/northwind/customer-edits/new")
    staff.locator("input[name=name]").fill("Fabrikam")
    staff.locator("input[name=currency]").fill("USD")
    staff.get_by_role("button", name="Add a customer").click()
    expect(staff.get_by_role("heading", name="Fabrikam")).to_be_visible()
    fits(staff, width, "acting")
    owner.goto(f"{served}/p/northwind/")
    expect(owner.get_by_text("Support is here").first).to_be_visible()
    fits(owner, width, "support-is-here")
    owner.get_by_role("button", name="End it now").first.click()
    expect(owner.get_by_text("Support no longer has access")).to_be_visible()
    staff.goto(f"{served}/p/northwind/customers")
    expect(staff.locator(".support-bar")).to_have_count(0)
    with app.app_context():
        sweep.sweep()
    owner.goto(f"{served}/p/northwind/activity")
    expect(owner.locator("main").get_by_text("Fabrikam").first).to_be_visible()
    expect(owner.locator("main").get_by_text("Kim Staff").first).to_be_visible()
    fits(owner, width, "activity")
    owner.goto(f"{served}/p/northwind/notices")
    expect(owner.locator("main").get_by_text(re.compile("Support left at")).first).to_be_visible()
    fits(owner, width, "notices")


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_support_that_only_looks_is_seen_changes_nothing_and_stops_without_script(
    app: Flask, served: str, open_page: Open, width: int, scheme: str
) -> None:
    owner, staff = (open_page(width, scheme, script=False) for _ in range(2))
    sign_in(app, staff, served, KIM).goto(f"{served}/staff/partners/northwind/visit")
    staff.get_by_label("Why do you step in?").fill("INV-1 shows as unpaid, caller is Olga")
    staff.get_by_role("radio", name=re.compile("Look:")).check()
    fits(staff, width, "step-in-to-look")
    staff.get_by_role("button", name="Step in").click()
    bar = staff.locator(".support-bar")
    for words in ("Kim Staff", "view only", "INV-1 shows as unpaid", "minutes left"):
        expect(bar).to_contain_text(words)
    fits(staff, width, "looking")
    staff.goto(f"{served}/p/northwind/invoices")
    expect(staff.locator("main").get_by_text("INV-1").first).to_be_visible()
    expect(bar).to_be_visible()
    expect(staff.get_by_role("link", name=re.compile("Record a payment"))).to_have_count(0)
    fits(staff, width, "looking-at-invoices")
    staff.goto(f"{served}/p/northwind/customer-edits/new")
    expect(staff.get_by_role("button", name="Add a customer")).to_have_count(0)
    fits(staff, width, "looking-cannot-change")
    sign_in(app, owner, served, OLGA).goto(f"{served}/p/northwind/")
    expect(owner.get_by_text("Kim Staff looks at your pages").first).to_be_visible()
    staff.goto(f"{served}/p/northwind/")
    bar.get_by_role("button", name="Stop").click()
    expect(staff.get_by_text("The visit has ended.")).to_be_visible()
    expect(bar).to_have_count(0)
    fits(staff, width, "stopped-looking")
    staff.goto(f"{served}/p/northwind/invoices")
    expect(staff.get_by_text("INV-1")).to_have_count(0)
    owner.goto(f"{served}/p/northwind/")
    expect(owner.get_by_text("Support is here")).to_have_count(0)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_a_logo_is_chosen(
    app: Flask, served: str, open_page: Open, tmp_path, width: int, scheme: str, script: bool
) -> None:
    Image.new("RGB", (600, 200), (20, 90, 180)).save(tmp_path / "logo.png")
    page = sign_in(app, open_page(width, scheme, script), served, OLGA)
    page.goto(f"{served}/p/northwind/settings")
    page.get_by_role("link", name="Logo", exact=True).click()
    page.get_by_label("Picture").set_input_files(tmp_path / "logo.png")
    page.get_by_role("button", name="Use this picture").click()
    expect(page.get_by_text("The logo is changed")).to_be_visible()
    shown = page.get_by_alt_text("The logo of Northwind IT")
    expect(shown).to_have_js_property("naturalWidth", 360)
    fits(page, width, "logo")
    page.goto(f"{served}/p/northwind/settings/partner")
    fits(page, width, "company-settings")


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("width", "scheme", "script"), LOOKS)
def test_a_mail_of_each_kind_is_read(
    app: Flask, served: str, open_page: Open, width: int, scheme: str, script: bool
) -> None:
    own = {kind for kind in MailKind if kind in OF_PERSONS}
    numbers: dict[str, int] = {}
    with app.app_context():
        partner_id = db.session.scalars(db.select(Tenant.id)).one()
        app.config |= {"DEMO_MAILS": True, "PORTAL_URL": served}
        for kind in MailKind:
            scope: AbstractContextManager[None] = people_scope() if kind in own else tenant_scope(partner_id)
            with scope:
                numbers[kind] = written.one(kind).id
                db.session.commit()
    page = open_page(width, scheme, script)
    for kind, number in numbers.items():
        page.goto(f"{served}/mails/{number}/html")
        expect(page.locator("h1")).to_have_count(1)
        assert page.locator("a").count() >= 1, kind
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        look(page, f"mail-{kind}-{width}")


OF_PERSONS = (
    MailKind.STAFF_INVITATION, MailKind.PASSWORD_RESET, MailKind.EMAIL_CHANGE_OLD, MailKind.EMAIL_CHANGE_NEW,
    MailKind.SECURITY_EVENT, MailKind.FACTORS_LOST, MailKind.FACTORS_TO_GO,
)  # fmt: skip
