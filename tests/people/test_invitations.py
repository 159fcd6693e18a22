"""Invited by mail, let in by a link that works once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Invitation, Membership, Tenant, User
from portal.people import invitations, links
from tests import factories
from tests.rules.test_every_route import rows_by_table

Link = Callable[..., str]
LogIn = Callable[..., FlaskClient]
PEOPLE = "/p/northwind/settings/people"
NEW = {"name": "Nora New", "password": "four words beside a river"}


def invited(browser: FlaskClient, email: str = "nora@example.com", role: str = "clerk") -> Any:
    return browser.post(f"{PEOPLE}/invitations", data={"email": email, "role": role})


def log_in_as(app: Flask, email: str, password: str) -> tuple[FlaskClient, int]:
    browser = app.test_client()
    return browser, browser.post("/login", data={"email": email, "password": password}).status_code


def test_a_new_person_is_invited_chooses_a_name_and_a_password_and_is_in(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link
) -> None:
    owner = log_in(partner)
    assert invited(owner).status_code == 303
    assert "nora@example.com" in owner.get(PEOPLE).text
    path, browser = link("invitation", partner), app.test_client()
    page = browser.get(path)
    assert "You are invited to Northwind IT" in page.text
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "same-origin")
    assert browser.post(path, data=NEW).status_code == 303
    nora, status = log_in_as(app, "Nora@Example.com", NEW["password"])
    assert status == 303
    assert nora.get("/p/northwind/payments").status_code == 200
    assert nora.post(f"{PEOPLE}/invitations", data={}).status_code == 403
    told = owner.get("/p/northwind/activity").text
    assert "nora@example.com invited as clerk" in told
    assert "nora@example.com accepted the invitation and is clerk now" in told
    assert "Invitations that nobody accepted yet" not in owner.get(PEOPLE).text


def test_a_person_with_a_login_accepts_after_logging_in_and_belongs_to_both(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link
) -> None:
    with app.app_context():
        other = factories.tenant("contoso", name="Contoso MSP")
        known = factories.member(other, "reader", email="Kim@example.com")
    invited(log_in(partner), "kim@EXAMPLE.com", "clerk")
    path = link("invitation", partner)
    stranger = app.test_client()
    assert "You have a login already" in stranger.get(path).text
    assert stranger.post(path, data=NEW).status_code == 422
    somebody = log_in(other, "reader")
    assert "is for another address" in somebody.get(path).text
    assert somebody.post(path).status_code == 422
    kim = log_in(user=known)
    assert "Accept the invitation" in kim.get(path).text
    assert kim.post(path).location == "/p/northwind/"
    page = kim.get("/p/northwind/").text
    assert "Switch partner" in page
    assert 'href="/p/contoso/"' in page
    assert log_in_as(app, "kim@example.com", factories.PASSWORD)[0].get("/p/contoso/").status_code == 200


def test_opening_a_link_changes_nothing(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link, superuser: psycopg.Connection[Any]
) -> None:
    """Programs that look at mails open what is in them."""
    invited(log_in(partner))
    path, before = link("invitation", partner), rows_by_table(superuser)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        assert app.test_client().open(path, method=method).status_code == 200
    assert rows_by_table(superuser) == before


@pytest.mark.parametrize("end", ["used", "expired", "revoked", "sent again", "cut short", "made up"])
def test_a_dead_link_says_what_to_do_next_and_reveals_nothing(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link, superuser: psycopg.Connection[Any], end: str
) -> None:
    owner = log_in(partner)
    invited(owner)
    path = link("invitation", partner)
    if end == "used":
        assert app.test_client().post(path, data=NEW).status_code == 303
    elif end == "expired":
        with app.app_context(), tenant_scope(partner.id):
            db.session.execute(db.update(Invitation).values(expires_at=clock.now() - timedelta(seconds=1)))
            db.session.commit()
    elif end in ("revoked", "sent again"):
        (number,) = superuser.execute("SELECT id FROM invitation").fetchone() or (0,)
        action = "revoke" if end == "revoked" else "send-again"
        assert owner.post(f"{PEOPLE}/invitations/{number}/{action}").status_code == 303
    path = {"cut short": path[:-1], "made up": "/links/invitation/x"}.get(end, path)
    owner.get(PEOPLE)  # its messages are read
    before = rows_by_table(superuser)
    stranger = app.test_client()
    for answer in (stranger.get(path), stranger.post(path, data=NEW), owner.post(path)):
        assert answer.status_code == 404
        assert "send the invitation again" in answer.text
        page = answer.text.partition("<main")[2]
        assert not [word for word in ("Northwind", "nora@", "clerk") if word in page]
    assert rows_by_table(superuser) == before


def test_sent_again_only_the_new_link_works(app: Flask, partner: Tenant, log_in: LogIn, link: Link) -> None:
    owner = log_in(partner)
    invited(owner)
    first = link("invitation", partner)
    assert invited(owner, role="reader").status_code == 303  # inviting once more is sending again
    second = link("invitation", partner)
    assert (first == second, app.test_client().get(first).status_code) == (False, 404)
    assert app.test_client().post(second, data=NEW).status_code == 303
    with app.app_context(), tenant_scope(partner.id):
        roles = db.session.scalars(db.select(Membership.role).order_by(Membership.id)).all()
    assert roles == ["owner", "reader"]


def test_an_invitation_used_several_times_at_once_makes_one_person(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link, at_once: Callable[..., list[Any]]
) -> None:
    invited(log_in(partner))
    token = link("invitation", partner).rpartition("/")[2]

    def accept() -> int:
        user = invitations.accept_as_new(token, "Nora New", NEW["password"])
        db.session.commit()
        return user.id

    answers = at_once(accept, accept, accept)
    assert sorted(isinstance(answer, links.DeadLink) for answer in answers) == [False, True, True]
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count()).select_from(User)) == 2


def test_used_twice_at_once_by_a_person_with_a_login_it_counts_once(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link, at_once: Callable[..., list[Any]]
) -> None:
    with app.app_context():
        user_id = factories.user("nora@example.com").id
    invited(log_in(partner))
    token = link("invitation", partner).rpartition("/")[2]

    def accept() -> str:
        slug = invitations.accept(token, db.session.get_one(User, user_id)).slug
        db.session.commit()
        return slug

    assert sorted(map(str, at_once(accept, accept))) == ["", "northwind"]


def test_a_password_that_is_easy_to_guess_is_refused_and_the_link_still_works(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link
) -> None:
    invited(log_in(partner))
    path, browser = link("invitation", partner), app.test_client()
    refused = browser.post(path, data=NEW | {"password": "Northwind IT nora"})
    assert (refused.status_code, "little more than a name" in refused.text) == (422, True)
    assert browser.post(path, data={"name": "", "password": ""}).status_code == 422
    assert browser.post(path, data=NEW).status_code == 303


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("member@example.com", "already belongs here, as reader"),
        ("kim@portal.example", "support staff"),
        ("no address", "Write an e-mail address"),
        ("a@b\r\nBcc: c@example.com", "Write an e-mail address"),
    ],
)
def test_who_cannot_be_invited_is_told_why(
    app: Flask, partner: Tenant, log_in: LogIn, email: str, said: str
) -> None:
    with app.app_context():
        factories.member(partner, "reader", email="Member@example.com")
        factories.user("kim@portal.example", staff=True)
    refused = invited(log_in(partner), email)
    assert (refused.status_code, said in refused.text) == (422, True)


def test_no_log_line_tells_a_token(
    app: Flask, partner: Tenant, log_in: LogIn, link: Link, capfd: pytest.CaptureFixture[str]
) -> None:
    """What gunicorn writes as the path of a request is said by the app."""
    invited(log_in(partner))
    path = link("invitation", partner)
    environ = create_environ(path)
    app(environ, lambda *_: None)  # type: ignore[arg-type]
    app.test_client().post(path, data=NEW)
    assert environ["portal.shown_path"] == "/links/invitation/…"
    assert path.rpartition("/")[2] not in "".join(capfd.readouterr())
