"""What is done to a person's login is told to them: a line on their page, and a mail that asks “was this you?”."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.access import sessions
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.mail import drawing, outbox
from portal.models import Mail, MailKind, Membership, SecurityEvent, Tenant, User
from portal.people import disabling, email_changes, passwords_forgotten, team
from tests import factories

NORA = "nora@example.com"
LATER = "nora@new.example"
Link = Callable[..., str]


@pytest.fixture
def nora(app: Flask, partner: Tenant) -> User:
    with app.app_context():
        factories.member(partner, name="Olga Owner", email="olga@example.com")
        return factories.member(partner, "clerk", email=NORA, name="Nora")


def _member(user: User) -> int:
    return db.session.scalars(scoped(Membership).where(Membership.user_id == user.id)).one().id


def _role(partner: Tenant, user: User, link: Link) -> None:
    with tenant_scope(partner.id):
        team.set_role(factories.ACTOR, _member(user), "reader")


def _removal(partner: Tenant, user: User, link: Link) -> None:
    with tenant_scope(partner.id):
        team.remove(factories.ACTOR, _member(user))


def _disabling(partner: Tenant, user: User, link: Link) -> None:
    disabling.disable_user(factories.ACTOR, user)


def _enabling(partner: Tenant, user: User, link: Link) -> None:
    user.disabled_at = user.created_at
    db.session.commit()
    disabling.enable_user(factories.ACTOR, user)


def _signing_out(partner: Tenant, user: User, link: Link) -> None:
    disabling.sign_out(factories.ACTOR, user)


def _token(link: Link, kind: str) -> str:
    db.session.commit()
    return link(kind).rpartition("/")[2]


def _reset(partner: Tenant, user: User, link: Link) -> None:
    passwords_forgotten.ask(NORA)
    passwords_forgotten.set_new(_token(link, "password_reset"), "seven green kettles hum")


def _address(partner: Tenant, user: User, link: Link) -> None:
    email_changes.ask(user, LATER)
    for kind in ("email_change_new", "email_change_old"):
        email_changes.confirm(_token(link, kind))
        db.session.commit()


def _refusal(partner: Tenant, user: User, link: Link) -> None:
    email_changes.ask(user, LATER)
    email_changes.refuse(_token(link, "email_change_old"))


@pytest.mark.parametrize(
    ("deed", "told", "receivers"),
    [
        (_role, "At Northwind IT: clerk before, reader now. Changed by the portal's operator.", {NORA}),
        (_removal, "From Northwind IT, where you were clerk. Removed by the portal's operator.", {NORA}),
        (_disabling, "The login was disabled. Disabled by the portal's operator.", {NORA}),
        (_enabling, "The login was enabled again. Enabled by the portal's operator.", {NORA}),
        (_signing_out, "Logged out everywhere. By the portal's operator.", {NORA}),
        (_reset, "The password was changed.", {NORA}),
        (_address, "From nora@example.com to nora@new.example.", {NORA, LATER}),
        (_refusal, "A change of the e-mail address was refused", {NORA}),
    ],
)
def test_the_person_is_told_by_mail_what_was_done_to_their_login(
    app: Flask,
    partner: Tenant,
    nora: User,
    link: Link,
    deed: Callable[..., None],
    told: str,
    receivers: set[str],
) -> None:
    with app.app_context():
        deed(partner, db.session.get_one(User, nora.id), link)
        db.session.commit()
        event = db.session.scalars(db.select(SecurityEvent).where(SecurityEvent.user_id == nora.id)).one()
        mails = db.session.scalars(db.select(Mail).where(Mail.kind == MailKind.SECURITY_EVENT)).all()
        assert {mail.to_address for mail in mails} == receivers
        for mail in mails:
            drawn = drawing.draw(mail, outbox.link_of(mail))
            assert told in drawn.text.replace(drawing.NO_BREAK, "")
            assert "/links/was-this-you/" in drawn.text
            by_others = "by the portal's operator" in told.lower()
            assert ("was this you?" in drawn.subject, "If it was you" in drawn.text) == (not by_others,) * 2
        assert event.token_hash


def test_who_changed_a_role_is_told_by_name_and_from_where_is_not(
    app: Flask, partner: Tenant, nora: User, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        olga = sessions.find_user("olga@example.com")
        with tenant_scope(partner.id):
            number = _member(nora)
    owner = log_in(user=olga)
    assert (
        owner.post(f"/p/northwind/settings/people/{number}/role", data={"role": "reader"}).status_code == 303
    )
    page = log_in(user=nora).get("/you").text
    assert "At Northwind IT: clerk before, reader now. Changed by Olga Owner" in page
    with app.app_context():
        mail = db.session.scalars(db.select(Mail).where(Mail.kind == MailKind.SECURITY_EVENT)).one()
        assert {"device", "place"} & set(mail.words) == set()
    assert "somebody else" in page
