"""The log of staff's own doings: append-only, chained, and its head signed outside its table (rule 7.4)."""

from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from structlog.testing import capture_logs

from portal.access import staff_log
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import StaffEvent, StaffHead
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
