"""The log of staff's own doings: append-only, chained, and its head signed outside its table (rule 7.4)."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from flask import Flask
from structlog.testing import capture_logs

from portal import clock
from portal.access import audit_chain, staff_log
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import StaffEvent, StaffHead
from portal.operating import books
from tests import factories

WRONG = {
    "edit": "UPDATE staff_event SET details = '{}' WHERE position = 3",
    "delete": "DELETE FROM staff_event WHERE position = 3",
    "delete the first": "DELETE FROM staff_event WHERE position = 1",
    "swap": "UPDATE staff_event a SET details = b.details FROM staff_event b"
    " WHERE a.position IN (2, 3) AND b.position = 5 - a.position",
    "insert": "INSERT INTO staff_event (position, at, event, request_id, details, previous_hash, hash, signed_by)"
    " SELECT 6, at, event, '', '{}', hash, hash, signed_by FROM staff_event WHERE position = 5",
    "cut the tail": "DELETE FROM staff_event WHERE position > 2",
    "cut the last": "DELETE FROM staff_event WHERE position = 5",
    "empty the table": "DELETE FROM staff_event",
    "remove the head": "DELETE FROM staff_head",
    "cut the tail and the head": "DELETE FROM staff_event WHERE position > 2; DELETE FROM staff_head",
    "cut the tail and put the head there": "DELETE FROM staff_event WHERE position > 2; UPDATE staff_head h"
    " SET position = 2, hash = e.hash FROM staff_event e WHERE e.position = 2",
    "take an event's hash as signature": "DELETE FROM staff_event WHERE position > 2;"
    " UPDATE staff_head h SET position = 2, hash = e.hash, signature = e.hash FROM staff_event e WHERE e.position = 2",
    "name another key": "UPDATE staff_event SET signed_by = 'mine' WHERE position = 3",
    "name another key at the head": "UPDATE staff_head SET signed_by = 'mine'",
    "move the head's first day": "UPDATE staff_head SET since = since + interval '1 year'",
}


@pytest.fixture
def written(app: Flask) -> Iterator[None]:
    """Five events."""
    with app.app_context():
        write(5)
        yield


def write(number: int) -> None:
    for step in range(number):
        staff_log.record(factories.ACTOR, "mail.sent_again", mail_id=step)
    db.session.commit()


def past_triggers(superuser: psycopg.Connection[object], statements: str) -> None:
    superuser.execute("SET session_replication_role = replica")
    for statement in statements.split(";"):
        superuser.execute(statement)
    superuser.execute("SET session_replication_role = DEFAULT")
    db.session.rollback()


def test_what_was_written_fits_and_its_head_names_the_last(written: None) -> None:
    found = staff_log.verdict()
    assert (found.broken_at, found.events) == (None, 5)
    assert found.head is not None
    assert found.head.startswith("5:")
    assert staff_log.verdict(found.head).broken_at is None


@pytest.mark.parametrize("change", WRONG)
def test_whatever_is_changed_past_the_triggers_is_found(
    written: None, superuser: psycopg.Connection[object], change: str
) -> None:
    past_triggers(superuser, WRONG[change])
    found = staff_log.verdict()
    assert found.broken_at is not None
    assert found.why


@pytest.mark.parametrize("change", ["cut the tail", "empty the table", "remove the head"])
def test_what_comes_later_covers_no_cut(
    written: None, superuser: psycopg.Connection[object], change: str
) -> None:
    past_triggers(superuser, WRONG[change])
    with capture_logs() as lines:
        write(6)
    assert "audit.head_does_not_fit" in [line["event"] for line in lines]
    assert staff_log.verdict().broken_at is not None


def test_an_older_signed_head_put_back_shows_by_what_the_logs_told(
    written: None, superuser: psycopg.Connection[object]
) -> None:
    with people_scope():
        old = db.session.scalars(db.select(StaffHead)).one()
        kept = (old.position, bytes(old.hash), old.signed_by, bytes(old.signature))
    write(2)
    told = staff_log.verdict().head
    assert told is not None
    past_triggers(superuser, "DELETE FROM staff_event WHERE position > 5")
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE staff_head SET position = %s, hash = %s, signed_by = %s, signature = %s", kept)
    superuser.execute("SET session_replication_role = DEFAULT")
    assert (staff_log.verdict().broken_at, staff_log.verdict(told).broken_at) == (None, 6)


def write_as_the_release_before(at: datetime | None = None) -> None:
    """An event that is signed and chained, by a release that knows no head."""
    with people_scope():
        last = db.session.scalars(db.select(StaffEvent).order_by(StaffEvent.position.desc())).first()
        assert last is not None
        row = StaffEvent(
            position=last.position + 1,
            at=at or clock.now(),
            event="mail.sent_again",
            request_id="",
            details={},
            previous_hash=last.hash,
            signed_by=audit_chain.newest_key(),
        )
        row.hash = staff_log._hash(row)
        db.session.add(row)
        db.session.commit()


def test_events_of_the_release_before_are_counted_until_the_next_one_signs_them(
    app: Flask, written: None
) -> None:
    """Both run side by side for the time of a deploy."""
    for _ in range(2):
        write_as_the_release_before()
    found = staff_log.verdict()
    assert (found.events, found.broken_at, found.unsigned) == (7, None, 2)
    done = app.test_cli_runner().invoke(args=["partners", "verify-staff-log"])
    assert (done.exit_code, json.loads(done.stdout)["unsigned"]) == (0, 2)
    assert (
        "2 events at its end were written by the release before, and the next one signs them" in done.stderr
    )
    look = books.audit()
    assert (look.state, look.number) == ("look", 2)
    assert "2 events at its end were written by the release before" in look.sentence
    write(1)
    found = staff_log.verdict()
    assert (found.events, found.broken_at, found.unsigned) == (8, None, 0)
    assert books.audit().state == "ok"


@pytest.mark.parametrize(
    "change", ["edit", "delete", "name another key at the head", "move the head's first day", "cut the tail"]
)
def test_events_of_the_release_before_hide_nothing(
    written: None, superuser: psycopg.Connection[object], change: str
) -> None:
    write_as_the_release_before()
    past_triggers(superuser, WRONG[change])
    assert staff_log.verdict().broken_at is not None


def test_past_the_time_of_a_deploy_a_head_that_stays_behind_was_put_back(written: None) -> None:
    write_as_the_release_before(clock.now() + audit_chain.OVERLAP + timedelta(hours=1))
    found = staff_log.verdict()
    assert found.broken_at == 6
    assert found.why == "The head ends at 5: it was put back to an older one."


@pytest.mark.parametrize(
    "statement", ["DELETE FROM staff_head", "UPDATE staff_head SET position = 4", "TRUNCATE staff_head"]
)
def test_the_head_only_moves_forward(
    written: None, superuser: psycopg.Connection[object], statement: str
) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        superuser.execute(statement)


def test_an_empty_log_fits(app: Flask) -> None:
    with app.app_context():
        found = staff_log.verdict()
        assert (found.broken_at, found.head, db.session.query(StaffEvent).count()) == (None, None, 0)
