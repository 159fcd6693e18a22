"""Rule 7.4: the audit log is append-only and chained; who can write to the database cannot make a change fit."""

import hashlib
import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from portal.access import audit, audit_chain
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import AuditEvent, AuditHead
from tests import factories

WRONG = {
    "edit": "UPDATE audit_event SET details = '{}' WHERE position = 3",
    "delete": "DELETE FROM audit_event WHERE position = 3",
    "delete the first": "DELETE FROM audit_event WHERE position = 1",
    "swap": "UPDATE audit_event a SET details = b.details FROM audit_event b"
    " WHERE a.position IN (2, 3) AND b.position = 5 - a.position",
    "insert": "INSERT INTO audit_event (tenant_id, position, at, event, source, request_id, subject_type, details,"
    " previous_hash, hash) SELECT tenant_id, 6, at, 'payment.deleted', source, '', subject_type, '{}', hash, hash"
    " FROM audit_event WHERE position = 5",
    "cut the tail": "DELETE FROM audit_event WHERE position > 2",
    "cut the last": "DELETE FROM audit_event WHERE position = 5",
    "empty the table": "DELETE FROM audit_event",
    "cut the tail and the head": "DELETE FROM audit_event WHERE position > 2; DELETE FROM audit_head",
    "empty both": "DELETE FROM audit_event; DELETE FROM audit_head",
    "cut the tail and put the head there": "DELETE FROM audit_event WHERE position > 2; UPDATE audit_head h"
    " SET position = 2, hash = e.hash FROM audit_event e WHERE e.position = 2",
    "cut the tail and take an event's hash as signature": "DELETE FROM audit_event WHERE position > 2;"
    " UPDATE audit_head h SET position = 2, hash = e.hash, signature = e.hash FROM audit_event e WHERE e.position = 2",
    "say that nothing was signed": "UPDATE audit_event SET signed_by = NULL",
    "name another key": "UPDATE audit_event SET signed_by = 'mine' WHERE position = 3",
    "move the head's first day": "UPDATE audit_head SET since = since + interval '1 year'",
}


@pytest.fixture
def partner(app):
    """A partner with five events."""
    with app.app_context():
        partner = factories.tenant("northwind")
        with tenant_scope(partner.id):
            for amount in range(5):
                audit.record(factories.ACTOR, "payment.recorded", "payment", amount, amount=str(amount))
            db.session.commit()
            yield partner


@contextmanager
def past_triggers(superuser):
    superuser.execute("SET session_replication_role = replica")
    yield superuser
    superuser.execute("SET session_replication_role = DEFAULT")
    db.session.rollback()


def look():
    db.session.rollback()
    db.session.expire_all()
    return audit_chain.verdict()


def test_an_untouched_log_fits(partner):
    found = look()
    assert (found.events, found.broken_at, found.why, found.unsigned) == (5, None, None, 0)


@pytest.mark.parametrize("deed", WRONG)
def test_whatever_a_superuser_does_to_the_log_is_found(partner, superuser, deed):
    with past_triggers(superuser):
        superuser.execute(WRONG[deed])
    assert look().broken_at is not None


def unkeyed(row) -> bytes:
    """The hash as a release without a key makes it, and as anybody can."""
    row.signed_by = None
    return audit_chain.event_hash(row)


def rewritten(superuser, rows, previous=audit_chain.GENESIS):
    """Hashes of `rows` anew, one after the other, without the key."""
    for row in rows:
        row.previous_hash = previous
        previous = row.hash = unkeyed(row)
        superuser.execute(
            "UPDATE audit_event SET details = %s, at = %s, previous_hash = %s, hash = %s, signed_by = NULL"
            " WHERE tenant_id = %s AND position = %s",
            (json.dumps(row.details), row.at, row.previous_hash, row.hash, row.tenant_id, row.position),
        )
    return previous


@pytest.mark.parametrize("head_too", [False, True])
def test_recomputed_hashes_are_found(partner, superuser, head_too):
    """The change, and every hash after it, as somebody makes them who knows all but the key."""
    rows = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.position)).all()
    rows[2].details = {"amount": "0.01"}
    with past_triggers(superuser):
        last = rewritten(superuser, rows)
        if head_too:
            superuser.execute("UPDATE audit_head SET hash = %s", (last,))
    assert look().broken_at is not None


def test_an_older_head_put_back_beside_newer_events_is_found(partner, superuser):
    older = superuser.execute("SELECT position, hash, signature FROM audit_head").fetchone()
    audit.record(factories.ACTOR, "payment.recorded", "payment", 9)
    db.session.commit()
    with past_triggers(superuser):
        superuser.execute("UPDATE audit_head SET position = %s, hash = %s, signature = %s", older)
    assert "put back" in look().why


@pytest.mark.parametrize(
    "deed",
    ["cut the tail", "cut the tail and put the head there", "cut the tail and the head", "empty the table"],
)
def test_what_was_cut_stays_found_however_much_is_written_afterwards(partner, superuser, deed):
    with past_triggers(superuser):
        superuser.execute(WRONG[deed])
    for number in range(4):
        audit.record(factories.ACTOR, "payment.recorded", "payment", number)
        db.session.commit()
    assert look().broken_at is not None


def without_a_key(tenant_id, at=None):
    """An event as the release before writes it: no key, and no head is moved."""
    last = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.position.desc()).limit(1)).first()
    row = AuditEvent(
        tenant_id=tenant_id, position=last.position + 1, at=at or last.at, event="payment.recorded", source="command",
        request_id="", subject_type="payment", details={}, previous_hash=last.hash,
    )  # fmt: skip
    row.hash = unkeyed(row)
    db.session.add(row)
    db.session.commit()


def test_the_release_before_goes_on_writing_events_that_fit(partner):
    without_a_key(partner.id)
    assert (look().broken_at, look().unsigned) == (None, 1)
    audit.record(factories.ACTOR, "payment.recorded", "payment", 7)
    db.session.commit()
    assert (look().broken_at, look().unsigned) == (None, 0)


def test_an_event_without_a_key_does_not_fit_any_more_a_day_after_the_first_signed_one(partner):
    since = db.session.scalar(db.select(AuditHead.since))
    without_a_key(partner.id, at=since + audit_chain.OVERLAP + timedelta(seconds=1))
    assert "not signed" in look().why


def test_a_new_key_signs_and_the_old_one_still_verifies(app, partner):
    old = app.config["AUDIT_KEYS"]
    app.config["AUDIT_KEYS"] = {"new": b"n" * 32} | old
    audit.record(factories.ACTOR, "payment.recorded", "payment", 6)
    db.session.commit()
    assert look().broken_at is None
    app.config["AUDIT_KEYS"] = {"new": b"n" * 32}
    db.session.rollback()
    assert "not in AUDIT_KEYS" in look().why
    app.config["AUDIT_KEYS"] = {"new": b"x" * 32} | old
    assert look().broken_at == 6


def test_how_far_the_log_goes_is_told_in_the_logs_once_it_is_committed(partner):
    with capture_logs() as lines:
        audit.record(factories.ACTOR, "payment.recorded", "payment", 6)
        db.session.rollback()
        assert lines == []
        row = audit.record(factories.ACTOR, "payment.recorded", "payment", 6)
        db.session.commit()
    assert [line["audit_head"] for line in lines] == [f"6:{row.hash.hex()}"]


def test_a_head_from_the_logs_finds_a_cut_that_took_an_old_signed_head_with_it(app, partner, superuser):
    """Who keeps copies of signed heads can cut back to one; the logs know better."""
    told = look().head
    older = superuser.execute("SELECT position, hash, signature FROM audit_head").fetchone()
    audit.record(factories.ACTOR, "payment.deleted", "payment", 6)
    db.session.commit()
    newest = look().head
    with past_triggers(superuser):
        superuser.execute("DELETE FROM audit_event WHERE position > 5")
        superuser.execute("UPDATE audit_head SET position = %s, hash = %s, signature = %s", older)
    verify = app.test_cli_runner().invoke
    assert look().broken_at is None
    assert verify(args=["partners", "verify-audit", "northwind", "--head", told]).exit_code == 0
    done = verify(args=["partners", "verify-audit", "northwind", "--head", newest])
    assert (done.exit_code, "was cut off or written anew" in done.output) == (1, True)


def test_neither_log_nor_head_can_be_emptied_or_put_back(partner, owner_url):
    import psycopg

    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant_id', %s, false)", (str(partner.id),))
        for statement in (
            "TRUNCATE audit_event",
            "TRUNCATE audit_head",
            "DELETE FROM audit_head",
            "UPDATE audit_head SET position = 1",
        ):
            with pytest.raises(psycopg.Error, match=r"append-only|only moves forward"):
                owner.execute(statement)


def test_the_hash_of_an_event_without_a_key_is_what_it_always_was(partner):
    row = db.session.scalars(db.select(AuditEvent).where(AuditEvent.position == 1)).one()
    body = {name: getattr(row, name) for name in audit_chain.CHAINED} | {"at": row.at.timestamp()}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    assert unkeyed(row) == hashlib.sha256(audit_chain.GENESIS + canonical.encode()).digest()
