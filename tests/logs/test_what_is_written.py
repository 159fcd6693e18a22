"""What happened to money, people and Autotask stands in the log with ids; what people typed does not."""

import logging
from datetime import date
from decimal import Decimal

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal import logs
from portal.extensions import db
from portal.logs import tracebacks
from portal.models import RunState, SyncKind, SyncTrigger, User
from portal.payments import recording
from portal.payments.recording import NewPayment
from portal.sync import run_lease, runs
from tests import factories
from tests.fixtures.people import browser, cookie_of

PHONE, E_MAIL = "+1 555 0100 777", "kim.secretary@adatum.example"
DAY = date(2026, 11, 19)


@pytest.fixture
def partner(json_app):
    with json_app.app_context():
        tenant = factories.tenant("northwind")
        with factories.inside(tenant):
            yield tenant


def named(lines, event: str) -> list[dict]:
    return [line for line in lines() if line["event"] == event]


def pay(invoice) -> int:
    new = NewPayment([(invoice.id, Decimal(100))], "check", DAY, reference=PHONE)
    return recording.record(factories.ACTOR, new).id


def test_a_payment_writes_a_line_when_it_is_committed_and_none_when_it_is_undone(json_app, partner, lines):
    invoice = factories.invoice(factories.customer(factories.integration(json_app)))
    pay(invoice)
    db.session.rollback()
    db.session.commit()
    assert named(lines, "payment.recorded") == []
    payment_id = pay(invoice)
    assert named(lines, "payment.recorded") == []
    db.session.commit()
    (line,) = named(lines, "payment.recorded")
    assert (line["payment_id"], line["tenant_id"]) == (payment_id, partner.id)
    recording.delete(factories.ACTOR, payment_id, PHONE)
    db.session.commit()
    db.session.commit()
    (line,) = named(lines, "payment.deleted")
    assert line["payment_id"] == payment_id
    assert PHONE not in str(lines())


def test_a_run_that_ends_writes_one_line(json_app, partner, lines):
    run = runs.start(factories.integration(json_app), SyncKind.NEW, SyncTrigger.BUTTON, factories.ACTOR)
    db.session.commit()
    claimed = run_lease.claim(run.id)
    assert run_lease.end(run.id, claimed.token, RunState.FAILED, "unavailable", "Autotask was away.")
    db.session.commit()
    (line,) = named(lines, "sync_run.ended")
    assert (line["sync_run_id"], line["state"], line["error_kind"]) == (run.id, "failed", "unavailable")
    assert line["tenant_id"] == partner.id


def test_a_refused_login_tells_accounts_apart_without_telling_whose(json_app, lines):
    for email in (E_MAIL, E_MAIL.upper(), "other@adatum.example"):
        form = {"email": email, "password": "wrong wrong wrong"}
        json_app.test_client().post("/login", data=form)
    first, second, third = named(lines, "login.refused")
    assert first["account"] == second["account"] != third["account"]
    assert first["address"] == "127.0.0.1"
    assert "adatum" not in str(lines()).lower()


def test_an_export_writes_one_line(json_app, lines):
    with json_app.app_context():
        partner = factories.tenant("contoso")
        person = factories.member(partner, "owner")
    answer = browser(json_app, cookie_of(json_app, person)).get("/p/contoso/invoices/export.csv")
    assert answer.status_code == 200
    answer.get_data()
    (line,) = named(lines, "export.sent")
    assert (line["tenant_id"], line["user_id"], line["file"]) == (partner.id, person.id, "invoices.csv")
    assert line["rows"] == 0


def test_a_refused_row_leaves_nothing_of_itself_in_the_line(partner, lines):
    """SQLAlchemy would print the parameters, PostgreSQL the whole row in its DETAIL."""
    factories.user(E_MAIL)
    broken = [
        lambda: db.session.add(User(email=E_MAIL, password_hash="x", is_staff=False)) or db.session.flush(),
        lambda: db.session.add(User(email=E_MAIL, name=PHONE, password_hash=None)) or db.session.flush(),
        lambda: db.session.execute(text("SELECT CAST(:given AS integer)"), {"given": PHONE}),
        lambda: db.session.execute(text("SELECT CAST(:given AS date)"), {"given": E_MAIL}),
    ]
    for number, attempt in enumerate(broken):
        with pytest.raises(DBAPIError) as caught:
            attempt()
        db.session.rollback()
        structlog.get_logger().error("request.failed", exc_info=caught.value)
        logging.getLogger("rq.worker").error("job failed\n%s", caught.value, exc_info=caught.value)
        raw = str(lines()) + str(caught.value) + str(caught.value.orig)
        assert not any(part in raw for part in (PHONE, "0100", E_MAIL, "secretary")), number
    assert [len(line["exception"]) for line in lines()] == [2] * 8  # ours, and psycopg's below it
    assert "app_user" in lines()[0]["exception"][0]["message"]


def test_psycopgs_own_errors_are_told_without_their_values(superuser):
    """COPY speaks past SQLAlchemy."""
    with (
        pytest.raises(psycopg.Error) as caught,
        superuser.cursor().copy("COPY app_user (email, name) FROM STDIN") as copy,
    ):
        copy.write_row((E_MAIL, PHONE))
    told = str(tracebacks.described(caught.value))
    assert "NotNullViolation" in told
    assert PHONE not in told
    assert E_MAIL not in told


def test_a_line_stays_under_what_platforms_cut_at(lines):
    def deep(levels: int) -> None:
        if levels:
            try:
                deep(levels - 1)
            except ValueError as error:
                raise ValueError("x" * 5000) from error
        raise ValueError("é" * 5000)

    try:
        deep(60)
    except ValueError:
        structlog.get_logger().exception("request.failed")
    (line,) = lines()
    assert len(str(line).encode()) < 10_000
    assert line["exception"][0]["frames"]


def test_secrets_are_hidden_by_name_and_addresses_by_shape(lines):
    structlog.get_logger().info("told", password="hunter2", reason=f"no mail to {E_MAIL}, at once")
    (line,) = lines()
    assert (line["password"], line["reason"]) == ("(hidden)", "no mail to (e-mail), at once")


def test_the_standard_librarys_lines_have_the_same_form(lines):
    logging.getLogger("alembic.runtime").info("Running upgrade %s", "0007")
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        logging.getLogger("anything").warning("two\nlines")
    first, second = lines()
    assert list(first)[:3] == ["timestamp", "level", "event"]
    assert (first["event"], first["logger"]) == ("Running upgrade 0007", "alembic.runtime")
    assert (second["event"], second["request_id"], second["level"]) == ("two\nlines", "r-1", "warning")


def test_text_is_for_terminals(json_app, capsys):
    logs.configure("text")
    structlog.get_logger().info("payment.recorded", payment_id=7)
    assert "payment.recorded" in capsys.readouterr().err
