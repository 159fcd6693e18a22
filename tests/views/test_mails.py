"""Staff see how mails fared and what they say, never their links; the demo alone shows those."""

import json
import re

import pytest

from portal import config
from portal.access.tenancy import tenant_scope
from portal.config import ConfigError
from portal.extensions import db
from portal.mail.server import Server
from portal.models import MailKind
from portal.queries.mails import KINDS
from tests import factories
from tests.mail import written
from tests.rules.test_every_setting import GOOD

SERVER = Server("127.0.0.1", 1, "p@example.com", start_tls=False)


@pytest.fixture
def mails(app):
    """One of a partner that was refused, and a person's own that is kept: their ids."""
    with app.app_context():
        partner = factories.tenant(name="Northwind IT")
        with tenant_scope(partner.id):
            refused = written.one(MailKind.INVITATION, to="who@example.com")
            refused.state, refused.answer, refused.tries = "refused", "550 No such user", 1
            db.session.commit()
        kept = written.one(MailKind.PASSWORD_RESET)
        db.session.commit()
        return refused.id, kept.id


@pytest.fixture
def staff(app, log_in):
    with app.app_context():
        person = factories.user(staff=True)
    return log_in(user=person)


def test_every_kind_of_mail_has_words():
    assert set(KINDS) == set(MailKind)


def test_staff_see_how_each_mail_fared(staff, mails):
    page = staff.get("/staff/mails").text
    assert "2 mails. 1 refused, 1 kept, because there is no mail server." in page
    for said in ("who@example.com", "550 No such user", "Northwind IT", "A person&#39;s own", "Invitation"):
        assert said in page
    narrowed = staff.get("/staff/mails?state=refused&kind=invitation").text
    assert "who@example.com" in narrowed
    assert "person@example.com" not in narrowed
    assert "There is no mail in this filter." in staff.get("/staff/mails?state=sent").text


def test_staff_read_a_mail_without_its_link(staff, mails):
    for mail_id in mails:
        page, html = staff.get(f"/staff/mails/{mail_id}"), staff.get(f"/staff/mails/{mail_id}/html")
        assert "shown to nobody but the receiver" in page.text
        assert written.LINK not in page.text + html.text
        assert re.search(
            rf'<iframe[^>]*src="/staff/mails/{mail_id}/html"[^>]*sandbox="allow-same-origin"', page.text
        )
        policy = html.headers["Content-Security-Policy"]
        assert policy.startswith(
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox "
        )
        assert "allow-scripts" not in policy + page.text
    assert staff.get("/staff/mails/999999").status_code == 404


def test_a_mail_that_did_not_go_out_is_sent_again(app, staff, mails):
    app.config["MAIL"] = SERVER
    for mail_id in mails:
        answer = staff.post(f"/staff/mails/{mail_id}/again", follow_redirects=True)
        assert "It goes out within seconds." in answer.text
    with app.app_context():
        assert [mail["id"] for mail in as_json(app)] == list(mails)
        assert {mail["state"] for mail in as_json(app)} == {"waiting"}


def test_a_mail_that_was_sent_is_not_sent_again(app, staff, mails, superuser):
    app.config["MAIL"] = SERVER
    superuser.execute("UPDATE mail SET state = 'sent'")
    answer = staff.post(f"/staff/mails/{mails[0]}/again", follow_redirects=True)
    assert "cannot be sent again" in answer.text
    assert {mail["state"] for mail in as_json(app)} == {"sent"}


@pytest.mark.parametrize("path", ["", "/1", "/1/html"])
def test_nobody_but_staff_sees_mails(app, log_in, mails, path):
    with app.app_context():
        owner = log_in(factories.tenant())
    assert owner.get(f"/staff/mails{path}").status_code == 404
    assert app.test_client().get(f"/staff/mails{path}").status_code == 303


def as_json(app, *options):
    done = app.test_cli_runner().invoke(args=["mails", "list", "--json", *options])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_command_lists_mails_without_their_links(app, mails):
    refused, kept = as_json(app)
    assert (refused["state"], refused["answer"], refused["to"]) == (
        "refused",
        "550 No such user",
        "who@example.com",
    )
    assert (kept["state"], kept["partner"], kept["kind"]) == ("kept", None, "password_reset")
    assert as_json(app, "--state", "sent") == []
    assert written.LINK not in json.dumps([refused, kept])


def test_the_demo_shows_mails_with_links_that_work_and_nothing_else_does(app, mails):
    browser = app.test_client()
    for path in ("/mails", f"/mails/{mails[0]}/html"):
        assert browser.get(path).status_code == 404
    assert "/mails" not in browser.get("/login").text
    app.config["DEMO_MAILS"] = True
    assert 'href="/mails"' in browser.get("/login").text
    page = browser.get("/mails").text
    assert page.count(f"http://localhost{written.LINK}") == 2
    html = browser.get(f"/mails/{mails[0]}/html")
    assert f'href="http://localhost{written.LINK}"' in html.text
    assert '<head><base target="_top">' in html.text
    assert "allow-scripts" not in html.headers["Content-Security-Policy"] + page


def test_mails_are_open_to_everybody_on_plain_http_alone():
    with pytest.raises(ConfigError, match="DEMO_MAILS"):
        config.load({**GOOD, "DEMO_MAILS": "1"})
    assert config.load({**GOOD, "DEMO_MAILS": "1", "INSECURE_COOKIES": "1"})["DEMO_MAILS"]
