"""Mails and notices in a real browser: nothing sticks out of a narrow screen, and a mail's link can be followed."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import MailKind, NoticeKind
from portal.notices import telling
from portal.notices.telling import Words
from tests import factories
from tests.browser.serving import serve
from tests.fixtures.people import cookie_of
from tests.mail import written

pytestmark = pytest.mark.browser


def sign_in(app: Flask, page: Page, address: str, user) -> None:
    name = app.config["SESSION_COOKIE_NAME"]
    page.context.add_cookies([{"name": name, "value": cookie_of(app, user), "url": address}])


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_notices_and_mails_are_sound(
    app: Flask, open_page: Callable[..., Page], accessibility_faults, width, scheme
):
    with app.app_context():
        partner = factories.tenant("northwind")
        owner, staff = factories.member(partner), factories.user(staff=True)
        with tenant_scope(partner.id):
            words = Words("Support came in: " + "a long reason " * 9, "/p/northwind", MailKind.PEOPLE_EVENT,
                          {"what": "x", "at": "y"})  # fmt: skip
            telling.tell(NoticeKind.SUPPORT, "visit/1", words)
            mail_id = written.one(MailKind.SUPPORT_ENDED, opened=["/p/" + "northwind" * 9]).id
            db.session.commit()
    with serve(app) as address:
        page = open_page(width, scheme)
        sign_in(app, page, address, owner)
        page.goto(f"{address}/p/northwind/notices")
        page.locator(".topbar-end details summary").first.click()
        panel = page.locator(".menu-wide").bounding_box()
        assert panel is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= width
        assert accessibility_faults(page) == []
        page = open_page(width, scheme)
        sign_in(app, page, address, staff)
        for path in ("/staff/mails", f"/staff/mails/{mail_id}"):
            page.goto(address + path)
            assert accessibility_faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        mail = page.frame_locator("iframe")
        expect(mail.get_by_role("heading")).to_have_text("Support has left Northwind IT: Sam Support")
        frame = page.locator("iframe").bounding_box()
        inside = page.locator("iframe").evaluate("one => one.contentDocument.documentElement.scrollHeight")
        assert frame is not None
        assert inside <= frame["height"] <= inside + 4, (
            "a mail is seen whole, without a scroll bar of its own"
        )
        across = "one => one.contentDocument.documentElement.scrollWidth <= one.clientWidth"
        assert page.locator("iframe").evaluate(across)


def test_in_the_demo_a_mails_link_can_be_followed(app: Flask, open_page: Callable[..., Page]):
    with serve(app) as address, app.app_context():
        app.config |= {"DEMO_MAILS": True, "PORTAL_URL": address}
        written.one(MailKind.PASSWORD_RESET, link="/login?next=/partners")
        db.session.commit()
        page = open_page()
        page.goto(f"{address}/mails")
        page.frame_locator("iframe").get_by_role("link").first.click()
        page.wait_for_url(f"{address}/login?next=/partners")
        assert urlsplit(page.url).path == "/login"
