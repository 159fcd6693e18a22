"""A mail is a row of the caller's transaction; its link is kept encrypted and shown to nobody else."""

import dataclasses

import pytest
from sqlalchemy import text

from portal.access.tenancy import people_scope, system_scope, tenant_scope
from portal.config import ConfigError, load
from portal.extensions import db
from portal.mail import outbox
from portal.mail.server import Server
from portal.models import Mail, MailKind, MailSecret, MailState
from tests import factories
from tests.mail import written
from tests.rules.test_every_setting import GOOD

SERVER = Server("127.0.0.1", 1, "portal@example.com", start_tls=False)


@pytest.fixture
def inside(app):
    with app.app_context():
        yield app


def test_a_mail_goes_with_the_transaction_that_wrote_it(inside):
    inside.config["MAIL"] = SERVER
    written.one(MailKind.PASSWORD_RESET)
    db.session.rollback()
    assert db.session.scalars(db.select(Mail)).all() == []
    mail = written.one(MailKind.PASSWORD_RESET)
    db.session.commit()
    assert (mail.state, mail.tries) == (MailState.WAITING, 0)
    assert mail.message_id.endswith("@example.com>")


def test_without_a_mail_server_a_mail_is_kept(inside):
    assert written.one(MailKind.SECURITY_EVENT).state == MailState.KEPT


def test_one_cause_is_told_once_to_each_address(inside):
    assert written.one(MailKind.SECURITY_EVENT, cause="factor/7")
    with pytest.raises(AssertionError):
        written.one(MailKind.SECURITY_EVENT, to="PERSON@example.com", cause="factor/7")
    assert written.one(MailKind.SECURITY_EVENT, to="other@example.com", cause="factor/7")
    assert written.one(MailKind.SECURITY_EVENT, cause="factor/8")
    assert db.session.scalar(db.select(db.func.count(Mail.id))) == 3


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@", "@b.example", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "A <a@b.example>",
     "a@b\x00.example", "x" * 250 + "@b.example", "a b@c.example", "a\u2028@b.example"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(inside, address):
    with pytest.raises(outbox.BadAddress):
        written.one(MailKind.INVITATION, to=address)


def test_a_mail_takes_exactly_the_parameters_of_its_kind(inside):
    with pytest.raises(TypeError, match=r"\['inviter', 'role'\] missing, \['who'\] unknown"):
        outbox.write(MailKind.INVITATION, to="a@b.example", link="/x", partner="P", expires="soon", who="me")
    with pytest.raises(TypeError, match="needs a link"):
        outbox.write(MailKind.EMAIL_CHANGE_NEW, to="a@b.example", expires="soon")


def test_the_link_is_encrypted_and_can_be_erased(inside, superuser):
    mail = written.one(MailKind.INVITATION, link="/invitations/very-secret-token")
    db.session.commit()
    assert outbox.link_of(mail) == "/invitations/very-secret-token"
    row = superuser.execute(
        f"SELECT m::text || s::text FROM mail m JOIN mail_secret s ON s.mail_id = m.id WHERE m.id = {mail.id}"
    )
    assert "very-secret" not in row.fetchone()[0]
    outbox.erase_link(mail.id)
    outbox.erase_link(mail.id)
    db.session.expire_all()
    assert outbox.link_of(mail) is None


def test_mails_of_a_partner_and_of_a_person_do_not_exist_for_others(inside):
    """And a link exists for nobody who looks across partners."""
    ours, theirs = factories.tenant(), factories.tenant()
    ids = {}
    for partner in (ours, theirs):
        with tenant_scope(partner.id):
            ids[partner.id] = written.one(MailKind.INVITATION).id
            db.session.commit()
    ids[None] = written.one(MailKind.PASSWORD_RESET).id
    db.session.commit()
    for scope, seen in (
        (tenant_scope(ours.id), [ids[ours.id]]),
        (tenant_scope(theirs.id), [ids[theirs.id]]),
        (people_scope(), [ids[None]]),
    ):
        with scope:
            assert db.session.scalars(db.select(Mail.id)).all() == seen
            assert db.session.scalars(db.select(MailSecret.mail_id)).all() == seen
            assert (
                db.session.execute(
                    text("UPDATE mail SET tries = 9 WHERE id <> :id"), {"id": seen[0]}
                ).rowcount
                == 0
            )
            db.session.rollback()
    with system_scope():
        assert set(db.session.scalars(db.select(Mail.id))) == set(ids.values())
        assert db.session.scalars(db.select(MailSecret.mail_id)).all() == []
        assert db.session.execute(text("UPDATE mail SET tries = 9")).rowcount == 0
        db.session.rollback()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://me:a%2Fb@mail.example?from=p@x.example", Server("mail.example", 465, "p@x.example", "me", "a/b", True, False)),
        ("smtp://p%40x.example:pw@mail.example", Server("mail.example", 587, "p@x.example", "p@x.example", "pw")),
        ("smtp://127.0.0.1:1025?from=p@x.example", Server("127.0.0.1", 1025, "p@x.example", start_tls=False)),
    ],
)  # fmt: skip
def test_the_mail_servers_address_says_how_mails_go_out(url, expected):
    read = load({**GOOD, "MAIL_URL": url, "PORTAL_URL": "https://portal.example/"})
    assert (read["MAIL"], read["PORTAL_URL"]) == (expected, "https://portal.example")
    assert "pw" not in repr(dataclasses.replace(read["MAIL"], user=""))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"MAIL_URL": "smtp://mail.example"}, "from is the e-mail address"),
        ({"MAIL_URL": "smtp://mail.example?from=a@b.example%0d%0aBcc:x@y.example"}, "from is"),
        ({"MAIL_URL": "smtp://me@mail.example?from=a@b.example"}, "with neither"),
        ({"MAIL_URL": "smtp://mail.example?from=a@b.example&tls=off"}, "no other options"),
        ({"MAIL_URL": "smtp://mail.example?from=a@b.example"}, "not PORTAL_URL"),
        ({"PORTAL_URL": "http://portal.example"}, "https://"),
        ({"PORTAL_URL": "https://portal.example/app"}, "only scheme and host"),
    ],
)
def test_a_mail_server_that_cannot_work_is_named_at_the_start(values, named):
    with pytest.raises(ConfigError, match=named):
        load({**GOOD, **values})


def test_the_portals_address_in_mails_is_never_the_one_a_request_names(inside):
    from portal.mail import drawing

    inside.config["PORTAL_URL"] = load({**GOOD, "TRUSTED_HOSTS": "*.x.example, portal.example"})["PORTAL_URL"]
    mail = written.one(MailKind.PASSWORD_RESET)
    with inside.test_request_context("/", base_url="https://evil.example"):
        drawn = drawing.draw(mail, outbox.link_of(mail))
    assert f"https://portal.example{written.LINK}" in drawn.text
    assert "evil" not in drawn.text + drawn.html
