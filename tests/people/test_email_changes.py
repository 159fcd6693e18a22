"""Another e-mail address: confirmed at the old one and at the new one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Mail, Tenant, User
from portal.people import email_changes
from tests import factories
from tests.held import WAITS

Link = Callable[..., str]
CHANGE = "/account/email"


@pytest.fixture
def nora(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        return factories.member(partner, "clerk", email="nora@example.com")


@pytest.fixture
def browser(log_in: Callable[..., FlaskClient], nora: User) -> FlaskClient:
    return log_in(user=nora)


def asked(browser: FlaskClient, email: str = "new@example.com", password: str = factories.PASSWORD) -> Any:
    return browser.post(CHANGE, data={"email": email, "password": password})


def address(app: Flask, user: User) -> str:
    with app.app_context():
        return db.session.get_one(User, user.id).email


@pytest.mark.parametrize(
    "order", [("email_change_old", "email_change_new"), ("email_change_new", "email_change_old")]
)
def test_the_address_changes_once_both_are_confirmed(
    app: Flask, nora: User, browser: FlaskClient, link: Link, order: tuple[str, str]
) -> None:
    assert asked(browser).status_code == 200
    first, second = (link(kind) for kind in order)
    stranger = app.test_client()
    assert stranger.get(first).status_code == stranger.get(second).status_code == 200
    half = stranger.post(first)
    assert (half.status_code, "One more to go" in half.text, address(app, nora)) == (
        200,
        True,
        "nora@example.com",
    )
    assert stranger.post(first).status_code == 404, "one link does not confirm twice"
    assert browser.get("/p/northwind/").status_code == 200
    assert stranger.post(second).status_code == 303
    assert address(app, nora) == "new@example.com"
    assert browser.get("/p/northwind/").location.startswith("/login")
    data = {"email": "new@example.com", "password": factories.PASSWORD}
    assert app.test_client().post("/login", data=data).status_code == 303


def test_no_at_the_old_address_stops_it_and_signs_out_everywhere(
    app: Flask, nora: User, browser: FlaskClient, link: Link
) -> None:
    asked(browser)
    old, new = link("email_change_old"), link("email_change_new")
    stranger = app.test_client()
    assert stranger.post(new).status_code == 200
    assert stranger.post(f"{new}/refuse").status_code == 404, "only the old address stops it"
    assert stranger.post(f"{old}/refuse").location == "/password/forgotten"
    assert stranger.post(old).status_code == stranger.get(new).status_code == 404
    assert address(app, nora) == "nora@example.com"
    assert browser.get("/p/northwind/").location.startswith("/login")


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("new@example.com", "not my password", "This is not your password"),
        ("NORA@example.com", factories.PASSWORD, "your e-mail address already"),
        ("nonsense", factories.PASSWORD, "Write an e-mail address"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    app: Flask, browser: FlaskClient, email: str, password: str, said: str
) -> None:
    refused = asked(browser, email, password)
    assert (refused.status_code, said in refused.text) == (422, True)
    with app.app_context():
        assert db.session.scalars(db.select(Mail)).all() == []


def test_an_address_that_somebody_has_gets_no_mail_and_the_same_answer(
    app: Flask, browser: FlaskClient, nora: User
) -> None:
    with app.app_context():
        factories.user("taken@example.com")
    pages = {
        asked(browser, email).text.replace(email, "…") for email in ("taken@example.com", "free@example.com")
    }
    assert len(pages) == 1
    with app.app_context():
        to = {mail.to_address for mail in db.session.scalars(db.select(Mail))}
    assert to == {"nora@example.com", "free@example.com"}


def test_an_address_that_was_taken_meanwhile_is_not_given_twice(
    app: Flask, nora: User, browser: FlaskClient, link: Link
) -> None:
    asked(browser)
    first, second = link("email_change_old"), link("email_change_new")
    with app.app_context():
        factories.user("New@example.com")
    app.test_client().post(first)
    assert app.test_client().post(second).status_code == 404
    assert address(app, nora) == "nora@example.com"


def test_both_links_used_at_once_change_the_address(
    app: Flask, nora: User, browser: FlaskClient, link: Link, at_once: Callable[..., list[Any]]
) -> None:
    asked(browser)
    tokens = [link(kind).rpartition("/")[2] for kind in ("email_change_old", "email_change_new")]

    def use(token: str) -> Callable[[], str]:
        def act() -> str:
            _, new = email_changes.confirm(token)
            db.session.commit()
            return new

        return act

    assert sorted(at_once(*map(use, tokens))) == ["", "new@example.com"]
    assert address(app, nora) == "new@example.com"


def test_the_second_link_waits_for_the_first_and_sees_that_it_was_used(
    app: Flask, nora: User, browser: FlaskClient, link: Link, superuser: Any
) -> None:
    """Neither may think that the other is not used yet: then the address would never change."""
    asked(browser)
    tokens = [link(kind).rpartition("/")[2] for kind in ("email_change_old", "email_change_new")]

    def use_the_second() -> str:
        with app.app_context():
            _, new = email_changes.confirm(tokens[1])
            db.session.commit()
            return new

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        assert email_changes.confirm(tokens[0])[1] == ""
        second = pool.submit(use_the_second)
        for _ in range(500):
            if second.done() or superuser.execute(WAITS).fetchone()[0]:
                break
            wait([second], timeout=0.01)
        db.session.commit()
        assert second.result(timeout=10) == "new@example.com"
    assert address(app, nora) == "new@example.com"


def test_asking_again_ends_what_was_asked_before(
    app: Flask, nora: User, browser: FlaskClient, link: Link
) -> None:
    asked(browser)
    before = link("email_change_new")
    asked(browser, "other@example.com")
    assert app.test_client().post(before).status_code == 404
    app.test_client().post(link("email_change_old"))
    app.test_client().post(link("email_change_new"))
    assert address(app, nora) == "other@example.com"


def test_a_changed_address_is_shown_to_those_alone_who_work_with_people(
    app: Flask, partner: Tenant, browser: FlaskClient, link: Link, log_in: Callable[..., FlaskClient]
) -> None:
    """Rule 7.1, in Activity and in its file."""
    asked(browser)
    for kind in ("email_change_old", "email_change_new"):
        app.test_client().post(link(kind))
    for role, sees in (("reader", False), ("clerk", False), ("owner", True)):
        page = log_in(partner, role).get("/p/northwind/activity")
        assert "has another e-mail address" in page.text
        assert ("new@example.com" in page.text) == sees, role
