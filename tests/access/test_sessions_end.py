"""What ends a person's sessions ends them in every browser at its next request: a page, a part of one, a poll, a form."""

import re
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import factors, totp
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Mail, Membership, Tenant, User
from portal.people import disabling, email_changes, team
from tests import factories
from tests.fixtures.people import browser, cookie_of

SECRET, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "four words beside a river"
Deed = Callable[[Flask, FlaskClient, User, Tenant], object]


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant("northwind")


@pytest.fixture
def dana(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        factories.member(partner)
        user = db.session.merge(
            factories.member(partner, "manager", email="dana@northwind.example", name="Dana")
        )
        for name in ("Phone", "Other phone"):
            totp.add(user, name, SECRET)
        user.second_factor_at = clock.now()
        db.session.commit()
        return user


def number(user: User) -> int:
    return int(db.session.scalars(db.select(Membership.id).where(Membership.user_id == user.id)).one())


def link(kind: str) -> str:
    with people_scope():
        mail = db.session.scalars(db.select(Mail).where(Mail.kind == kind).order_by(Mail.id.desc())).first()
        return (mail and outbox.link_of(mail)) or ""


def sign_out_elsewhere(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    return here.post("/you/sessions/end-others")


def change_password(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    return here.post("/you/password", data={"current": factories.PASSWORD, "password": NEW})


def add_a_factor(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    page = here.get("/you/factors/authenticator").text
    secret = re.sub(r"\s", "", re.search(r'<code class="key">([^<]+)<', page)[1])  # type: ignore[index]
    offer = re.search(r'name="offer"[^>]* value="([^"]*)"', page)[1]  # type: ignore[index]
    code = pyotp.TOTP(secret).at(clock.now())
    return here.post("/you/factors/authenticator", data={"name": "New", "offer": offer, "code": code})


def remove_a_factor(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    with app.app_context():
        first = factors.of(db.session.get_one(User, user.id))[0].id
    return here.post(f"/you/factors/{first}/remove")


def change_password_by_mail(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    app.test_client().post("/password/forgotten", data={"email": user.email})
    with app.app_context():
        path = link("password_reset")
    return app.test_client().post(path, data={"password": NEW})


def change_address(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    with app.app_context():
        email_changes.ask(db.session.get_one(User, user.id), "new@northwind.example")
        db.session.commit()
        paths = [link("email_change_old"), link("email_change_new")]
    return [app.test_client().post(path) for path in paths][-1]


def say_it_was_not_me(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
    here.post("/you/factors/recovery-codes")
    with app.app_context():
        path = link("security_event")
    return app.test_client().post(path)


def by_others(work: Callable[[User, int], object]) -> Deed:
    def act(app: Flask, here: FlaskClient, user: User, partner: Tenant) -> object:
        with app.app_context(), tenant_scope(partner.id):
            made = work(db.session.get_one(User, user.id), number(user))
            db.session.commit()
        return made

    return act


# Deed: whether the browser that did it stays.
DEEDS: dict[str, tuple[Deed, bool]] = {
    "signed out elsewhere": (sign_out_elsewhere, True),
    "another password": (change_password, True),
    "one factor more": (add_a_factor, True),
    "one factor less": (remove_a_factor, True),
    "another password by mail": (change_password_by_mail, False),
    "another address": (change_address, False),
    "this was not me": (say_it_was_not_me, False),
    "all factors taken": (
        by_others(lambda user, _: factors.take_all(user, factories.ACTOR, reason="lost")),
        False,
    ),
    "another role": (by_others(lambda _, member: team.set_role(factories.ACTOR, member, "reader")), False),
    "removed": (by_others(lambda _, member: team.remove(factories.ACTOR, member)), False),
    "disabled": (by_others(lambda user, _: disabling.disable_user(factories.ACTOR, user)), False),
    "signed out by an operator": (
        by_others(lambda user, _: disabling.sign_out(factories.ACTOR, user)),
        False,
    ),
}


def is_out(one: FlaskClient) -> list[bool]:
    """A page, a part of one, a poll that keeps nothing alive, and a form that would save."""
    asks: list[Any] = [
        one.get("/p/northwind/"),
        one.get("/p/northwind/invoices", headers={"HX-Request": "true"}),
        one.get("/p/northwind/", headers={"HX-Request": "true", "X-Portal-Poll": "1"}),
        one.post("/you/name", data={"name": "Somebody else"}),
    ]
    return ["/login" in (answer.headers.get("HX-Redirect") or answer.location or "") for answer in asks]


@pytest.mark.parametrize("deed", DEEDS)
def test_every_browser_is_out_at_its_next_request(app: Flask, dana: User, partner: Tenant, deed: str) -> None:
    here, elsewhere, third = (browser(app, cookie_of(app, dana)) for _ in range(3))
    for one in (here, elsewhere, third):
        assert one.get("/p/northwind/").status_code == 200
    work, stays = DEEDS[deed]
    done = work(app, here, dana, partner)
    assert getattr(done, "status_code", 200) < 400, getattr(done, "text", "")
    assert is_out(elsewhere) == is_out(third) == [True] * 4
    assert (here.get("/you").status_code == 200) == stays
    with app.app_context():
        assert db.session.get_one(User, dana.id).name == "Dana"
