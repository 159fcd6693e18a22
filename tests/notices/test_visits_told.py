"""Support's coming and going is told in the request that does it, with its own times and in whole words."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Notice
from portal.notices import sweep
from tests import factories
from tests.fixtures.people import with_factor_proved

REASON = "The partner asked for help"


@pytest.fixture
def partner(app):
    with app.app_context():
        row = factories.tenant("northwind", time_zone="Europe/Berlin")
        factories.member(row, "owner", email="olga@example.com", name="Olga Owner")
        factories.user("sue@portal.example", staff=True, name="Sue Support")
        return row.id


@pytest.fixture
def sue(app, partner):
    return with_factor_proved(app.test_client(), "sue@portal.example")


def told(app, partner):
    with app.app_context(), tenant_scope(partner):
        return db.session.scalars(db.select(Notice).where(Notice.kind == "support")).one_or_none()


def rows(app, partner, query):
    with app.app_context(), tenant_scope(partner):
        return [tuple(row) for row in db.session.execute(text(query))]


def step_in(sue):
    answer = sue.post(
        "/staff/partners/northwind/visit", data={"reason": REASON, "minutes": "30", "mode": "view"}
    )
    assert answer.status_code == 303, re.findall(r"(?s)field-error.*?</p>", answer.text)


def test_the_notice_and_the_mail_stand_there_when_support_is_in(app, partner, sue):
    step_in(sue)
    notice = told(app, partner)
    began = rows(app, partner, "SELECT started_at FROM support_visit")[0][0]
    assert notice.created_at == began
    assert re.fullmatch(
        rf"Support came in to look at \d\d:\d\d: Sue Support, as Olga Owner\. Why: {REASON}", notice.words
    )
    assert rows(app, partner, "SELECT kind, to_address FROM mail") == [
        ("support_started", "olga@example.com")
    ]


def test_stopping_tells_when_it_ended_and_what_was_done(app, partner, sue):
    step_in(sue)
    sue.get("/p/northwind/invoices")
    sue.post("/staff/visit/stop")
    notice = told(app, partner)
    assert notice.ended_at == rows(app, partner, "SELECT ended_at FROM support_visit")[0][0]
    assert re.fullmatch(
        r"Support left at \d\d:\d\d: Sue Support\. 1 page opened, nothing changed\.", notice.ended_words
    )
    kinds = [kind for (kind,) in rows(app, partner, "SELECT kind FROM mail ORDER BY id")]
    assert kinds == ["support_started", "support_ended"]


def test_the_partner_that_ends_a_visit_is_told_at_once(app, partner, sue, log_in):
    step_in(sue)
    owner = with_factor_proved(app.test_client(), "olga@example.com")
    visit_id = rows(app, partner, "SELECT id FROM support_visit")[0][0]
    owner.post(f"/p/northwind/support-visits/{visit_id}/stop")
    assert told(app, partner).ended_words is not None


def test_a_visit_that_ran_out_is_told_with_the_time_at_which_it_did(app, partner, sue):
    step_in(sue)
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=40)
    with app.app_context(), tenant_scope(partner):
        db.session.execute(
            text("UPDATE support_visit SET started_at = :a, expires_at = :b"),
            {"a": then, "b": then + timedelta(minutes=30)},
        )
        db.session.commit()
    with app.app_context():
        sweep.sweep()
    assert told(app, partner).ended_at == then + timedelta(minutes=30)
