"""Your login: name, password, where it is open, what happened to it, and the link in mails about it."""

import re
from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.access import security_events, sessions
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.models import AuditEvent, LinkPurpose, Mail, Membership, SecurityEvent
from portal.people import links
from portal.queries import account
from portal.web import device_words
from tests import factories
from tests.fixtures.people import with_factor_proved

DANA = "dana@northwind.example"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
NEW = "seven green kettles hum"


@pytest.fixture
def dana(app):
    with app.app_context():
        return factories.member(factories.tenant("northwind"), email=DANA, name="Dana")


@pytest.fixture
def here(client, dana):
    return with_factor_proved(client, DANA)


@pytest.fixture
def elsewhere(app, dana):
    return with_factor_proved(app.test_client(), DANA)


def is_out(browser):
    return (browser.get("/you").location or "").startswith("/login")


def change(browser, current=factories.PASSWORD, new=NEW):
    return browser.post("/you/password", data={"current": current, "password": new})


def kinds(app):
    with app.app_context():
        return list(db.session.scalars(db.select(SecurityEvent.kind).order_by(SecurityEvent.id)))


def test_of_many_browsers_those_used_last_are_shown_and_each_can_be_ended(app, here, dana, superuser):
    superuser.execute(
        "INSERT INTO login_session (token_hash, user_id, last_used_at) SELECT n::text::bytea, %s,"
        " now() - n * interval '1 minute' FROM generate_series(1, 60) AS n",
        [dana.id],
    )
    assert f"{account.LOGINS_SHOWN} of 61 shown." in " ".join(here.get("/you").text.split())
    [oldest] = superuser.execute("SELECT id FROM login_session WHERE token_hash = '60'::bytea").fetchone()
    assert here.post(f"/you/sessions/{oldest}/end").status_code == 303
    assert here.post(f"/you/sessions/{oldest}/end").status_code == 404


def test_a_new_password_needs_the_old_one_and_signs_out_all_other_browsers(app, here, elsewhere):
    assert change(here, current="not the one of now").status_code == 422
    assert not is_out(elsewhere)
    assert change(here).status_code == 303
    assert (is_out(here), is_out(elsewhere)) == (False, True)
    other = app.test_client()
    for password, status in ((factories.PASSWORD, 422), (NEW, 303)):
        assert other.post("/login", data={"email": DANA, "password": password}).status_code == status


def test_after_a_new_password_the_cookie_from_before_opens_nothing(app, here):
    with here.session_transaction() as session:
        before = session["_user_id"]
    assert change(here).status_code == 303
    copied = app.test_client()
    with copied.session_transaction() as session:
        session["_user_id"] = before
    assert copied.get("/you").location.startswith("/login")
    assert not is_out(here)


@pytest.mark.parametrize("deed", ["a new password", "this was not me"])
def test_a_link_that_a_stranger_asked_for_opens_nothing_any_more(app, client, here, dana, deed):
    with app.app_context(), people_scope():
        token = links.make(LinkPurpose.PASSWORD_RESET, dana.id, DANA, timedelta(hours=1))
        security_events.record(dana, security_events.PASSWORD_CHANGED)
        db.session.commit()
    address = links.path("password", token)
    stranger = app.test_client()
    assert stranger.get(address).status_code == 200
    done = change(here) if deed == "a new password" else stranger.post(link(app))
    assert done.status_code in (200, 303)
    assert stranger.get(address).status_code == 404
    assert stranger.post(address, data={"password": NEW}).status_code == 404


def test_a_weak_password_is_refused_with_why(here, elsewhere):
    refused = change(here, new="dana northwind")
    assert (refused.status_code, "little more than a name" in refused.text) == (422, True)
    assert not is_out(elsewhere)


def test_it_stands_on_the_page_in_the_partners_log_and_in_a_mail(app, here, dana):
    change(here)
    assert "The password was changed" in here.get("/you").text
    with app.app_context():
        mail = db.session.scalars(db.select(Mail)).one()
        assert (mail.to_address, mail.words["what"]) == (DANA, "The password was changed")
        partner_id = security_events.partners_of(sessions.find_user(DANA))[0]
        with tenant_scope(partner_id):
            told = [
                row.event for row in db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.position))
            ]
    assert told == [security_events.PASSWORD_CHANGED]


def test_every_kind_of_event_has_words_and_its_mail_can_be_drawn(app, here, dana):
    from portal.mail import drawing, outbox

    with app.app_context():
        user = sessions.find_user(DANA)
        for kind in security_events.SENTENCES:
            if kind.startswith("login.") and kind != "login.started":
                security_events.record(user, kind, reason="a long reason", left=3)
        db.session.commit()
        for mail in db.session.scalars(db.select(Mail)):
            drawn = drawing.draw(mail, outbox.link_of(mail))
            assert "was this you?" in drawn.subject
            assert "/links/was-this-you/" in drawn.text
    page = here.get("/you?events=all").text
    assert [words for words in security_events.SENTENCES.values() if words not in page] == []


def test_a_browser_that_is_logged_out_from_the_page_is_out_at_its_next_request(app, here, elsewhere):
    page = here.get("/you").text
    ends = re.findall(r'action="(/you/sessions/\d+/end)"', page)
    assert len(ends) == 2
    assert page.count("This one") == 1
    first, second = sorted(ends, key=lambda one: int(re.search(r"\d+", one)[0]))  # `here` logged in first
    assert here.post(second).status_code == 303
    assert (is_out(here), is_out(elsewhere)) == (False, True)
    assert here.post(first).location == "/login"
    assert is_out(here)


def test_logging_out_everywhere_else_leaves_this_browser(here, elsewhere, app):
    assert here.post("/you/sessions/end-others").status_code == 303
    assert (is_out(here), is_out(elsewhere)) == (False, True)
    assert kinds(app) == [security_events.SIGNED_OUT]


def test_sessions_of_others_are_unknown(app, here, dana):
    with app.app_context():
        other = factories.member(factories.tenant(), email="olga@contoso.example")
    olga = with_factor_proved(app.test_client(), other.email)
    [address] = re.findall(r'action="(/you/sessions/\d+/end)"', olga.get("/you").text)
    assert here.post(address).status_code == 404
    assert not is_out(olga)


def test_the_page_shows_the_latest_events_and_says_that_there_are_more(app, here, dana):
    with app.app_context():
        user = sessions.find_user(DANA)
        for _ in range(23):
            security_events.note(user, "login.started", how="password")
        db.session.commit()
    page = here.get("/you").text
    assert (page.count("with the password"), "20 of 23 shown" in page) == (20, True)
    assert here.get("/you?events=all").text.count("with the password") == 23


def link(app):
    from portal.mail import outbox

    with app.app_context():
        return outbox.link_of(db.session.scalars(db.select(Mail).order_by(Mail.id)).first())


def test_opening_the_link_of_a_mail_changes_nothing_and_its_button_logs_out_everywhere_once(
    app, client, here, elsewhere
):
    """Programs that look at mails open every link; a person may be logged in nowhere."""
    change(here)
    address, stranger = link(app), app.test_client()
    for method in ("get", "head"):
        assert getattr(stranger, method)(address).status_code == 200
    assert not is_out(here)
    done = stranger.post(address)
    assert (done.status_code, "Logged out everywhere" in done.text) == (200, True)
    assert (is_out(here), is_out(elsewhere)) == (True, True)
    assert [stranger.get(address).status_code, stranger.post(address).status_code] == [404, 404]
    assert kinds(app)[-1] == security_events.SIGNED_OUT


def test_a_link_that_never_was_is_answered_like_a_used_one(client, dana):
    answer = client.get("/links/was-this-you/" + "x" * 43)
    assert (answer.status_code, "used already" in answer.text) == (404, True)


def test_a_new_name_is_shown(here):
    assert here.post("/you/name", data={"name": "Dana Dee"}).status_code == 303
    assert "Dana Dee" in here.get("/you").text


def test_the_page_opens_without_a_fresh_proof(client, dana):
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(client, DANA)
        travel.shift(timedelta(minutes=20))
        assert client.get("/you").status_code == 200


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Chrome/131.0 Safari/537.36 Edg/131.0", "Edge on Mac"),
        ("", "An unknown browser"),
        ("curl/8.5", "An unknown browser"),
    ],
)
def test_a_browser_is_told_in_words(user_agent, words):
    assert device_words.device(user_agent) == words


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1", "this machine"), ("10.0.0.7", "your own network (10.0.0.7)"), ("8.8.8.8", "8.8.8.8"),
     ("2606:4700::1", "2606:4700::1"), ("", "an unknown address"), ("<b>", "an unknown address")],
)  # fmt: skip
def test_an_address_is_told_in_words(address, words):
    assert device_words.place(address) == words


def menu(page):
    return re.findall(r'<a class="nav-entry"[^>]*href="([^"]+)"', page)


def test_the_menu_of_your_login_leads_back_to_the_partner(here):
    entries = menu(here.get("/you").text)
    assert entries[0] == "/p/northwind/"
    assert "/p/northwind/invoices" in entries


def test_the_menu_of_your_login_leads_to_each_of_several_partners(app, here, dana):
    with app.app_context():
        lakeside = factories.tenant("lakeside")
        with factories.inside(lakeside):
            db.session.add(Membership(tenant_id=lakeside.id, user_id=dana.id, role="clerk"))
            db.session.commit()
    assert {"/p/northwind/", "/p/lakeside/", "/partners"} == set(menu(here.get("/you").text))
