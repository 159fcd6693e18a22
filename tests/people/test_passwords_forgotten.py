"""A forgotten password: a link by mail, and the same answer for everybody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import totp
from portal.extensions import db
from portal.models import LoginLink, Mail, Tenant, User
from portal.people import links, passwords_forgotten
from tests import factories

Link = Callable[..., str]
GOES_OUT = type("Server", (), {"sender": "portal@example.com"})()
ASK = "/password/forgotten"
NEW = "four words beside a river"


@pytest.fixture
def nora(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        return factories.member(partner, "clerk", email="nora@example.com")


def test_a_new_password_is_set_by_mail_and_nobody_stays_logged_in(
    app: Flask, nora: User, link: Link, log_in: Callable[..., FlaskClient]
) -> None:
    app.config["MAIL"] = GOES_OUT
    before, browser = log_in(user=nora), app.test_client()
    asked = browser.post(ASK, data={"email": " Nora@Example.com "})
    assert (asked.status_code, "Look into your mail" in asked.text) == (200, True)
    path = link("password_reset")
    page = browser.get(path)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert browser.post(path, data={"password": "nora@example.com1"}).status_code == 422
    answer = browser.post(path, data={"password": NEW})
    assert (answer.status_code, answer.location) == (303, "/login")
    assert before.get("/p/northwind/").location.startswith("/login")
    assert browser.get("/p/northwind/").location.startswith("/login"), "a link logs nobody in"
    for password, status in ((factories.PASSWORD, 422), (NEW, 303)):
        data = {"email": "nora@example.com", "password": password}
        assert app.test_client().post("/login", data=data).status_code == status


def test_a_password_made_of_the_partners_name_is_refused(app: Flask, link: Link) -> None:
    with app.app_context():
        shop = factories.tenant("zebrano-kettleworks", name="Zebrano Kettleworks Ltd")
        nora = factories.member(shop, "clerk", email="nora@example.com")
    app.test_client().post(ASK, data={"email": nora.email})
    answer = app.test_client().post(link("password_reset"), data={"password": "zebrano kettleworks"})
    assert answer.status_code == 422


def test_a_password_set_by_mail_still_asks_for_the_second_factor(app: Flask, nora: User, link: Link) -> None:
    with app.app_context():
        person = db.session.merge(nora)
        totp.add(person, "Phone", totp.new_secret())
        person.second_factor_at = clock.now()
        db.session.commit()
    browser = app.test_client()
    browser.post(ASK, data={"email": "nora@example.com"})
    assert browser.post(link("password_reset"), data={"password": NEW}).status_code == 303
    browser.post("/login", data={"email": "nora@example.com", "password": NEW})
    assert browser.get("/p/northwind/").location.startswith("/prove")


def test_known_and_unknown_addresses_get_one_answer_for_one_work(
    app: Flask, nora: User, count_queries: Callable[..., int]
) -> None:
    with app.app_context():
        factories.user("off@example.com", disabled_at=db.func.now())
    pages, work = set(), set()
    for email in ("nora@example.com", "nobody@example.com", "off@example.com"):
        answers: list[Any] = []
        work.add(
            count_queries(
                lambda email=email, to=answers: to.append(app.test_client().post(ASK, data={"email": email}))
            )
        )
        pages.add(answers[0].text.replace(email, "…"))
    assert (len(pages), len(work)) == (1, 1)
    with app.app_context():
        assert [mail.to_address for mail in db.session.scalars(db.select(Mail))] == ["nora@example.com"]
        assert db.session.scalar(db.select(db.func.count()).select_from(LoginLink)) == 1


def test_without_a_mail_server_nothing_is_promised_to_anybody(app: Flask, nora: User) -> None:
    browser = app.test_client()
    form = browser.get(ASK).text
    assert ("has no mail server" in form, 'name="email"' in form) == (True, False)
    pages = {
        browser.post(ASK, data={"email": email}).text for email in ("nora@example.com", "nobody@example.com")
    }
    assert len(pages) == 1
    page = pages.pop()
    assert ("has no mail server" in page, "on its way" in page, "Look into your mail" in page) == (
        True,
        False,
        False,
    )
    app.config["DEMO_MAILS"] = True
    assert 'href="/mails"' in browser.post(ASK, data={"email": "nora@example.com"}).text


@pytest.mark.parametrize("email", ["nora@example.com", "nobody@example.com"])
def test_asking_is_limited_alike_for_known_and_unknown_addresses(app: Flask, nora: User, email: str) -> None:
    codes = [app.test_client().post(ASK, data={"email": email}).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]


def test_asking_for_many_addresses_from_one_place_is_limited(app: Flask) -> None:
    codes = [app.test_client().post(ASK, data={"email": f"n{n}@example.com"}).status_code for n in range(11)]
    assert codes == [200] * 10 + [429]


@pytest.mark.parametrize("end", ["used", "expired", "asked again", "disabled", "for something else"])
def test_a_link_that_opens_nothing_any_more_says_so(app: Flask, nora: User, link: Link, end: str) -> None:
    browser = app.test_client()
    browser.post(ASK, data={"email": nora.email})
    path = link("password_reset")
    with app.app_context():
        if end == "used":
            browser.post(path, data={"password": NEW})
        elif end == "expired":
            db.session.execute(db.update(LoginLink).values(expires_at=clock.now() - timedelta(seconds=1)))
        elif end == "asked again":
            browser.post(ASK, data={"email": nora.email})
        elif end == "disabled":
            db.session.get_one(User, nora.id).disabled_at = clock.now()
        db.session.commit()
    path = path.replace("password", "email") if end == "for something else" else path
    answer = browser.post(path, data={"password": NEW + "s"})
    assert (answer.status_code, "This link does not work" in answer.text) == (404, True)
    with app.app_context():
        from portal.access import sessions

        assert sessions.authenticate(nora.email, NEW + "s") is None


def test_a_link_used_twice_at_once_sets_one_password(
    app: Flask, nora: User, link: Link, at_once: Callable[..., list[Any]]
) -> None:
    app.test_client().post(ASK, data={"email": nora.email})
    token = link("password_reset").rpartition("/")[2]

    def use(password: str) -> Callable[[], str]:
        def act() -> str:
            passwords_forgotten.set_new(token, password)
            db.session.commit()
            return password

        return act

    answers = at_once(use(NEW), use(NEW[::-1]))
    assert sorted(isinstance(answer, links.DeadLink) for answer in answers) == [False, True]


def test_a_new_password_ends_a_link_that_was_asked_for_at_the_same_moment(
    app: Flask, nora: User, link: Link
) -> None:
    paths = []
    for _ in range(2):
        app.test_client().post(ASK, data={"email": nora.email})
        paths.append(link("password_reset"))
    with app.app_context():  # as if neither had seen the other
        db.session.execute(db.update(LoginLink).values(revoked_at=None))
        db.session.commit()
    assert [app.test_client().get(path).status_code for path in paths] == [200, 200]
    assert app.test_client().post(paths[0], data={"password": NEW}).status_code == 303
    assert app.test_client().post(paths[1], data={"password": NEW + "s"}).status_code == 404


def test_the_mails_links_lead_to_the_portals_own_address_whatever_the_request_says(
    app: Flask, nora: User
) -> None:
    from portal.mail import drawing, outbox

    app.config.update(PORTAL_URL="https://portal.example")
    with app.test_request_context(base_url="http://evil.example"):
        passwords_forgotten.ask(nora.email)
    with app.app_context():
        mail = db.session.scalars(db.select(Mail)).one()
        text = drawing.draw(mail, outbox.link_of(mail)).text
    assert "https://portal.example/links/password/" in text
    assert "evil.example" not in text
