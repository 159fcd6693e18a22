"""Logging in, staying in, and being logged out on the server."""

from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.access import sessions
from portal.extensions import db
from portal.web.own_path import own_path
from tests import factories


@pytest.fixture
def person(app):
    with app.app_context():
        return factories.member(factories.tenant("northwind"), "clerk", email="dana@northwind.example")


def log_in(client, password=factories.PASSWORD, email="dana@northwind.example", **more):
    return client.post("/login", data={"email": email, "password": password, **more})


def test_the_right_password_leads_to_the_partners(client, person):
    answer = log_in(client)
    assert (answer.status_code, answer.location) == (303, "/partners")


@pytest.mark.parametrize(
    ("email", "password"),
    [("dana@northwind.example", "wrong"), ("nobody@northwind.example", factories.PASSWORD), ("", "")],
)
def test_a_wrong_login_is_refused_in_words_and_keeps_the_address(client, person, email, password):
    answer = log_in(client, password, email)
    assert answer.status_code == 422
    assert client.get("/partners").status_code == 303
    assert email in answer.text


def test_unknown_and_known_addresses_are_refused_with_the_same_sentence(client, person):
    known, unknown = log_in(client, "wrong"), log_in(client, "wrong", "nobody@northwind.example")
    sentence = "do not fit together"
    assert sentence in known.text
    assert sentence in unknown.text


def test_the_eleventh_try_within_a_quarter_of_an_hour_is_stopped(client, person):
    assert [log_in(client, "wrong").status_code for _ in range(11)][-2:] == [422, 429]


def test_logging_out_ends_the_session_on_the_server(client, app, person):
    log_in(client)
    with client.session_transaction() as cookie:
        kept = dict(cookie)
    client.post("/logout")
    with client.session_transaction() as cookie:
        cookie.update(kept)
    assert client.get("/partners").location.startswith("/login")


def test_a_disabled_user_is_out_at_the_next_request(app, client, person):
    log_in(client)
    with app.app_context():
        db.session.merge(person).disabled_at = clock.now()
        db.session.commit()
    assert client.get("/partners").location.startswith("/login")


def test_ending_all_sessions_of_a_user_signs_every_browser_out(app, client, person):
    other = app.test_client()
    log_in(client)
    log_in(other)
    with app.app_context():
        sessions.end_all(person.id)
        db.session.commit()
    assert {browser.get("/partners").location[:6] for browser in (client, other)} == {"/login"}


def test_an_idle_session_ends_after_two_hours(client, person):
    with time_machine.travel(clock.now(), tick=False) as travel:
        log_in(client)
        travel.shift(timedelta(hours=2, seconds=1))
        assert client.get("/partners").location.startswith("/login")


def test_polls_do_not_keep_a_session_alive(client, person):
    with time_machine.travel(clock.now(), tick=False) as travel:
        log_in(client)
        for _ in range(3):
            travel.shift(timedelta(minutes=50))
            answer = client.get("/partners", headers={"X-Portal-Poll": "1"})
        assert answer.location.startswith("/login")


def test_a_fragment_of_an_ended_session_moves_the_whole_page_to_the_login(client, person):
    answer = client.get("/partners", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/login")


def test_an_open_page_whose_login_ended_moves_to_the_login_as_a_whole(client, person):
    """It asks for itself: a login form inside the page's frame would be nobody's page."""
    log_in(client)
    with time_machine.travel(clock.now() + timedelta(hours=3)):
        poll = {
            "HX-Request": "true",
            "X-Portal-Poll": "page",
            "Referer": "http://localhost/p/northwind/invoices?q=x",
        }
        answer = client.get("/p/northwind/invoices?q=x&seen=0123", headers=poll)
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/login?next=/p/northwind/invoices?q%3Dx"


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https:evil.example", "http://evil.example/login", "javascript:alert(1)",
     "/login\r\nX: y", "/" + "a" * 3000, "", "/no/such/page", "%2F%2Fevil.example"],
)  # fmt: skip
def test_next_never_leads_to_another_site(app, target):
    with app.test_request_context():
        assert own_path(target) is None


def test_next_leads_back_to_the_page_that_was_asked_for(client, person):
    answer = log_in(client, next="/p/northwind/support-visits/1/stop?x=1")
    assert answer.location == "/partners"  # a path that only takes POST is no page
    assert log_in(client, next="/partners?x=1").location == "/partners?x=1"


def test_signed_in_pages_are_never_kept_by_the_browser(client, person):
    log_in(client)
    assert client.get("/partners").headers["Cache-Control"] == "no-store"


def test_a_new_login_in_the_same_browser_ends_the_one_before(client, app, person):
    log_in(client)
    with client.session_transaction() as cookie:
        kept = dict(cookie)
    log_in(client)
    assert client.get("/partners").location == "/p/northwind/"
    other = app.test_client()
    with other.session_transaction() as cookie:
        cookie.update(kept)
    assert other.get("/partners").location.startswith("/login")


def test_a_login_that_is_used_all_day_ends_after_its_longest_time(client, person):
    with time_machine.travel(clock.now(), tick=False) as travel:
        log_in(client)
        for _ in range(23):
            travel.shift(timedelta(hours=1))
            assert client.get("/partners").location == "/p/northwind/"
        travel.shift(timedelta(hours=1, seconds=1))
        assert client.get("/partners").location.startswith("/login")


def test_every_cookie_is_for_the_server_alone(app, client, person):
    """Where https is on: the host's own, out of reach of scripts and of plain http, and not sent along by others."""
    app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_NAME="__Host-portal")
    answer = client.post(
        "/login",
        data={"email": person.email, "password": factories.PASSWORD},
        base_url="https://localhost",
        headers={"X-Forwarded-Proto": "https"},
    )
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-portal", "__Host-device"}
    for cookie in cookies:
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/"} <= words, cookie
        assert words & {"samesite=lax", "samesite=strict"}, cookie
        assert not [word for word in words if word.startswith("domain")], cookie


def test_logging_out_clears_what_the_browser_holds(client, person):
    log_in(client)
    assert '"storage"' in client.post("/logout").headers["Clear-Site-Data"]


@pytest.mark.parametrize("page", ["/you", "/p/northwind/", "/p/northwind/settings"])
def test_every_page_of_a_signed_in_person_has_a_way_out(client, person, page):
    log_in(client)
    assert 'action="/logout"' in client.get(page).text
