"""PostgreSQL away, frozen, full or read-only: every route says so in words, and nothing needs a restart after."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from portal import clock, logs
from portal.access import api_keys, support_visits
from portal.database import connection
from portal.extensions import db
from portal.web.outages import WORDS, Outage
from portal.web.security_headers import HEADERS
from tests import factories
from tests.fixtures.outages import OwnDatabase
from tests.fixtures.people import _cookie, browser, cookie_of, start_with_factor_proved
from tests.rules.test_every_route import access, path, routes

FRAGMENT = {"HX-Request": "true"}
PAGE = "/p/northwind/invoices"
# Machines get their answer in JSON: tests/operating.
TOLD_TO_MACHINES = {"operating.readyz", "operating.prometheus"}
OUTAGES = ["stopped", "crashed", "frozen", "full"]


@dataclass
class People:
    """Cookies of a signed-in owner and of a support person inside the partner, and an API key."""

    app: Flask
    owner_cookie: str
    staff_cookie: str
    key: str
    payment: dict[str, Any]

    def owner(self) -> FlaskClient:
        return browser(self.app, self.owner_cookie)

    def staff(self) -> FlaskClient:
        return browser(self.app, self.staff_cookie)

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def people(own_app: Flask) -> People:
    with own_app.app_context():
        partner = factories.tenant("northwind")
        owner = factories.member(partner, "owner", email="owner@northwind.example")
        with factories.inside(partner):
            customer = factories.customer(factories.integration(own_app))
            factories.payment((factories.invoice(customer), "100.00"))
            open_invoice = factories.invoice(customer).id
            _, key = api_keys.create(factories.ACTOR, "checkout", ["read", "payments.write"])
            db.session.commit()
        staff = factories.user("kim@portal.example", staff=True)
        own_cookie = cookie_of(own_app, owner)
    with own_app.test_request_context():
        login = start_with_factor_proved(staff)
        support_visits.begin(
            login, db.session.merge(partner), support_visits.Wish("The partner asked for help on the phone")
        )
        db.session.commit()
        staff_cookie = _cookie(own_app)
    payment = {
        "allocations": [{"invoice_id": open_invoice, "amount": "1.00"}],
        "method": "check",
        "paid_on": clock.today("UTC").isoformat(),
    }
    return People(own_app, own_cookie, staff_cookie, key, payment)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(logs.lines, "_write", lambda whole: written.append(json.loads(whole)))
    logs.configure("json")
    yield written
    logs.configure("text")


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The times somebody asked whether the server still answers at all."""
    asked: list[tuple[str, int]] = []
    real = connection.answers

    def note(host: str, port: int) -> bool:
        asked.append((host, port))
        return real(host, port)

    monkeypatch.setattr(connection, "answers", note)
    monkeypatch.setattr(connection, "PATIENCE", 0.2)
    monkeypatch.setattr(connection, "PROBE_SECONDS", 0.5)
    return asked


def says(answer: Any, outage: Outage) -> bool:
    """A page by its heading, an answer to a program by its sentence."""
    words = WORDS[outage].what if answer.is_json else WORDS[outage].title
    return answer.status_code == 503 and words in answer.text and "Retry-After" in answer.headers


@pytest.mark.faults
@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_is_a_page_of_ours_with_one_line_and_ends_by_itself(
    own_database: OwnDatabase, people: People, lines, probes, kind
):
    owner = people.owner()
    assert owner.get(PAGE).status_code == 200  # it holds a pooled connection now
    lines.clear()
    with getattr(own_database, kind)():
        page = owner.get(PAGE)
        asked = len(probes)
        fragment = owner.get(PAGE, headers=FRAGMENT)
        problem = owner.get("/api/v1/invoices", headers=people.bearer())
        login = people.app.test_client().post(
            "/login", data={"email": "owner@northwind.example", "password": factories.PASSWORD}
        )
        with owner.get("/static/portal.css") as styles:
            assert styles.status_code == 200
    for answer in (page, fragment, problem, login):
        assert says(answer, Outage.AWAY), answer.text
        assert HEADERS.items() <= dict(answer.headers).items()
        assert answer.headers["Cache-Control"] == "no-store"
    assert fragment.headers["HX-Retarget"] == "#messages"
    assert problem.mimetype == "application/problem+json"
    assert [line["event"] for line in lines] == ["database.away"] * 4
    assert lines[0]["request_id"] in page.text
    assert lines[0]["exception"][0]["frames"]
    assert asked == (kind == "frozen")  # one question decides, however many statements would wait
    connection._found_silent.clear()
    assert owner.get(PAGE).status_code == 200


@pytest.mark.faults
def test_a_statement_under_way_ends_when_the_server_freezes(own_database, people, probes):
    with people.app.app_context():
        db.session.execute(text("SELECT 1"))
        with own_database.frozen(), pytest.raises(OperationalError, match="does not answer"):
            db.session.execute(text("SELECT 2"))
        assert len(probes) == 1
        connection._found_silent.clear()
        db.session.rollback()
        assert db.session.scalar(text("SELECT 3")) == 3


def test_a_slow_statement_of_a_server_that_answers_is_waited_for(people, probes):
    with people.app.app_context():
        assert db.session.scalar(text("SELECT 4 FROM pg_sleep(0.7)")) == 4
    assert probes


def test_an_answer_that_was_drawn_stands_although_the_connection_died_under_it(
    own_database, people, monkeypatch
):
    cut = people.app.teardown_request_funcs[None] + [lambda _: own_database.end_connections()]
    monkeypatch.setitem(people.app.teardown_request_funcs, None, cut)
    assert people.owner().get(PAGE).status_code == 200


def test_every_route_says_that_the_database_is_away(own_database, people, lines):
    with own_database.stopped():
        for partner in (True, False):
            for rule, method in routes(people.app, partner=partner):
                if rule.endpoint in TOLD_TO_MACHINES:
                    continue
                mark = access(people.app, rule)
                where = path(people.app, rule, "northwind")
                headers = people.bearer() if mark == "api" else {}
                answer = people.owner().open(where, method=method, headers=headers)
                if mark != "public" or answer.status_code != 200:
                    assert says(answer, Outage.AWAY), f"{method} {rule}: {answer.status_code}"
                    assert HEADERS.items() <= dict(answer.headers).items(), f"{method} {rule}"
                stranger = people.app.test_client().open(where, method=method, headers=headers)
                assert stranger.status_code < 500 or says(stranger, Outage.AWAY), f"{method} {rule}"
    assert {line["event"] for line in lines} <= {"database.away", "request.refused", "login.refused"}


def test_a_read_only_database_is_read_and_says_that_nothing_can_be_saved(own_database, people, lines):
    with people.app.app_context():
        db.session.execute(
            text("UPDATE login_session SET last_used_at = last_used_at - interval '5 minutes'")
        )
        db.session.commit()
    with own_database.read_only():
        for partner in (True, False):
            for rule, method in routes(people.app, partner=partner):
                mark, where = access(people.app, rule), path(people.app, rule, "northwind")
                headers = people.bearer() if mark == "api" else {}
                answer = people.owner().open(where, method=method, headers=headers)
                if rule.endpoint in TOLD_TO_MACHINES:
                    continue
                if method == "GET" and "export" not in rule.rule:
                    assert answer.status_code < 500, f"{method} {rule}"  # a file is written down first
                assert answer.status_code < 500 or says(answer, Outage.READ_ONLY), f"{method} {rule}"
        assert people.owner().get(PAGE).status_code == 200
        assert people.owner().get("/api/v1/invoices", headers=people.bearer()).status_code == 200
        login = people.app.test_client().post(
            "/login", data={"email": "owner@northwind.example", "password": factories.PASSWORD}
        )
        assert says(login, Outage.READ_ONLY)
        deletion = people.owner().post("/p/northwind/payments/1/delete", data={"reason": "typed twice"})
        assert says(deletion, Outage.READ_ONLY)
        payment = people.owner().post(
            "/api/v1/payments", json=people.payment, headers=people.bearer() | {"Idempotency-Key": "k"}
        )
        assert says(payment, Outage.READ_ONLY)
        visitor = people.staff().get(PAGE)
    assert says(visitor, Outage.READ_ONLY)
    assert "written down first" in visitor.text
    assert "request.failed" not in {line["event"] for line in lines}
