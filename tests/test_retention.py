"""What is forgotten and when; money and audit stay, however old."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from portal import clock, retention
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Base, MailKind
from tests import factories
from tests.mail.written import one as write_mail

STAY = {
    "invoice", "payment", "allocation", "settlement", "delivery", "audit_event", "support_visit", "customer",
    "exception_item", "app_user", "tenant", "integration",
}  # fmt: skip
LAY = """
INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, created_at)
    SELECT :t, :i, 'new', 'schedule', s, :at FROM unnest(array['completed', 'failed', 'completed']) s;
INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, created_at)
    VALUES (:t, :i, 'unpaid', 'schedule', 'running', :at);
INSERT INTO sync_change (tenant_id, run_id, subject_type, subject_id, label, field, at)
    SELECT :t, id, 'invoice', 1, 'x', 'y', :at FROM sync_run WHERE tenant_id = :t;
INSERT INTO import_run (tenant_id, kind, created_at) VALUES (:t, 'customers', :at);
INSERT INTO import_row (tenant_id, run_id, place, result, external_id)
    SELECT :t, id, 0, 'created', 'x' FROM import_run WHERE tenant_id = :t;
INSERT INTO import_file (tenant_id, kind, name, state, created_at)
    SELECT :t, 'customers', 'x', s, :at FROM unnest(array['checked', 'taken', 'taking']) s;
INSERT INTO import_file_row (tenant_id, file_id, place, cells)
    SELECT :t, id, 2, '{}' FROM import_file WHERE tenant_id = :t;
INSERT INTO import_file_record (tenant_id, file_id, place, rows, result)
    SELECT :t, id, 2, 1, 'created' FROM import_file WHERE tenant_id = :t;
INSERT INTO idempotency_key (tenant_id, scope, key, fingerprint, created_at) VALUES (:t, 'payment', 'k', '', :at);
INSERT INTO api_usage (tenant_id, integration_id, minute, calls) VALUES (:t, :i, :at, 1);
INSERT INTO read_range (tenant_id, integration_id, only_unpaid, low, high, read_at) VALUES (:t, :i, false, 1, 2, :at);
INSERT INTO mail (tenant_id, kind, to_address, cause, message_id, state, created_at)
    SELECT :t, 'digest', 'a@b.example', s || :t, s || :t, s, :at FROM unnest(array['sent', 'refused', 'waiting']) s;
INSERT INTO mail (user_id, kind, to_address, cause, message_id, state, created_at)
    VALUES (:u, 'password_reset', 'a@b.example', 'reset/' || :t, 'reset/' || :t, 'sent', :at);
INSERT INTO notice (tenant_id, kind, cause, words, path, created_at, changed_at, ended_at)
    VALUES (:t, 'sync_late', '1', '', '', :at, :at, :at), (:t, 'sync_late', '2', '', '', :at, :at, NULL),
    (:t, 'digest', '1', '', '', :at, :at, NULL);
INSERT INTO login_session (token_hash, user_id, created_at, last_used_at)
    VALUES (decode(md5(:t || 'visit'), 'hex'), :u, :at, :at), (decode(md5(:t || 'none'), 'hex'), :u, :at, :at);
INSERT INTO security_event (user_id, kind, at) VALUES (:u, 'login.started', :at);
INSERT INTO spent_proof (mark, spent_at) VALUES (decode(md5(:t || 'spent'), 'hex'), :at);
INSERT INTO support_visit (tenant_id, staff_user_id, as_user_id, login_session_id, reason, started_at, expires_at,
        ended_at)
    SELECT :t, :u, :u, min(id), 'a reason that is long', :at, :at, :at FROM login_session WHERE last_used_at = :at;
INSERT INTO support_request (tenant_id, visit_id, method, path, request_id, at)
    SELECT :t, id, 'GET', '/', 'r', :at FROM support_visit WHERE tenant_id = :t;
INSERT INTO delivery_attempt (tenant_id, delivery_id, wish_version, outcome, wrote, started_at)
    SELECT :t, d.id, 1, o.outcome, o.wrote, :at FROM delivery d, (VALUES ('retry', NULL), ('unknown', '2026-11-19'),
        ('confirmed', '2026-11-19'), ('nothing_to_do', NULL), ('retry', NULL)) o(outcome, wrote)
    WHERE d.tenant_id = :t;
INSERT INTO heartbeat (process, host, beat_at) VALUES ('poller', :t || 'host', :at);
INSERT INTO health_reading (at, name, state) VALUES (:at, 'database', 'ok');
INSERT INTO alarm (name, title, sentence, mend, begun_at, ended_at)
    VALUES ('database', '', '', '', :at, :at), ('open' || :t, '', '', '', :at, NULL);
INSERT INTO invitation (tenant_id, email, role, token_hash, expires_at)
    VALUES (:t, 'x@example.com', 'reader', decode(md5(:t || 'invitation'), 'hex'), :at);
INSERT INTO login_link (purpose, token_hash, user_id, email, expires_at)
    VALUES ('password_reset', decode(md5(:t || 'link'), 'hex'), :u, 'x@example.com', :at);
INSERT INTO webhook_endpoint (tenant_id, url, name, kinds, state, off_since)
    VALUES (:t, 'https://a.example/', 'x', '{}', 'removed', :at);
INSERT INTO webhook_secret (tenant_id, endpoint_id, sealed, ends_at)
    SELECT :t, id, '', :at FROM webhook_endpoint WHERE tenant_id = :t;
INSERT INTO event (tenant_id, kind, subject_id, invoice_ids, data, place, created_at)
    SELECT :t, 'invoice.paid', n, '{}', '{}', n, :at FROM generate_series(1, 3) n;
INSERT INTO webhook_message (tenant_id, endpoint_id, event_id)
    SELECT :t, w.id, e.id FROM webhook_endpoint w JOIN event e ON e.tenant_id = w.tenant_id WHERE w.tenant_id = :t;
UPDATE idempotency_key SET created_at = :at WHERE tenant_id = :t;
UPDATE payment SET recorded_at = :at WHERE tenant_id = :t;
UPDATE invoice SET created_at = :at WHERE tenant_id = :t"""
# What of the rows above stays although it is old.
LEFT = {
    "sync_run": 2,  # the last completed one, and the one under way
    "sync_change": 1,  # of the one under way
    "import_row": 0,
    "import_file": 2,  # what was taken in, and what is being taken in
    "import_file_row": 1,  # of the one that is being taken in
    "import_file_record": 1,
    "delivery_attempt": 4,  # what was sent or confirmed, and the last
    "support_request": 0,
    "idempotency_key": 0,
    "api_usage": 0,
    "read_range": 0,
    "mail": 1,  # the one that waits
    "notice": 1,  # the one that is open
    "invitation": 0,
    "login_link": 0,
    "event": 1,  # the newest place
    "webhook_message": 0,
    "webhook_secret": 0,
    "webhook_endpoint": 0,
    "login_session": 1,  # the support visit's
    "security_event": 0,
    "spent_proof": 0,
    "heartbeat": 0,
    "health_reading": 0,
    "alarm": 1,  # the one that is open
}


OF_NOBODY = {
    "login_session",
    "login_link",
    "security_event",
    "spent_proof",
    "heartbeat",
    "health_reading",
    "alarm",
}  # of no partner: those of both partners are counted


@pytest.fixture
def aged(app, superuser):
    """`aged(days)`: a partner with rows of every table, all so many days old."""

    def lay(days: float) -> int:
        at = clock.now() - timedelta(days=days)
        with app.app_context():
            partner = factories.tenant()
            with tenant_scope(partner.id):
                person_id = factories.user().id
                integration = factories.integration(app)
                factories.payment((factories.invoice(factories.customer(integration)), "100.00"))
                values = {"t": partner.id, "i": integration.id, "u": person_id, "at": at}
            number = partner.id
            db.session.rollback()
        for statement in LAY.split(";\n"):
            superuser.execute(named(statement), values)
        return number

    return lay


def named(statement: str) -> str:
    """psycopg's way to write `:name`."""
    return re.sub(r"(?<!:):([tiu]|at)\b", r"%(\1)s", statement)


def figures(superuser, partner: int) -> dict[str, int]:
    found = {}
    for table, description in Base.metadata.tables.items():
        where = "WHERE tenant_id = %s" if "tenant_id" in description.columns else "WHERE %s > 0"
        found[table] = superuser.execute(f"SELECT count(*) FROM {table} {where}", (partner,)).fetchone()[0]
    return found


@pytest.mark.parametrize("table", retention.DAYS)
def test_what_is_past_its_days_goes_and_what_is_younger_or_needed_stays(app, superuser, aged, table):
    old, young = aged(retention.DAYS[table] + 0.1), aged(retention.DAYS[table] - 0.1)
    before = {partner: figures(superuser, partner) for partner in (old, young)}
    with app.app_context():
        assert retention.forget_everywhere()
        assert retention.forget_everywhere()
    after = {partner: figures(superuser, partner) for partner in (old, young)}
    kept = before[young][table] // (2 if table in OF_NOBODY else 1)  # logins belong to no partner
    assert after[young][table] - kept == (LEFT[table] if table in OF_NOBODY else 0)
    assert after[old][table] - (kept if table in OF_NOBODY else 0) == LEFT[table] < before[old][table]
    gone = {name for name, count in before[old].items() if after[old][name] < count}
    assert gone <= set(retention.DAYS)
    assert {name: after[old][name] for name in STAY} == {name: before[old][name] for name in STAY}


def test_mails_of_people_go_as_well_and_links_that_ran_out_at_once(app, superuser, aged):
    aged(retention.DAYS["mail"] + 0.1)
    with app.app_context():
        runs_out, lasts = (
            write_mail(MailKind.PASSWORD_RESET, expires_at=clock.now() + timedelta(hours=hours)).id
            for hours in (-1, 1)
        )
        db.session.commit()
        retention.forget_everywhere()
    assert [row[0] for row in superuser.execute("SELECT id FROM mail WHERE tenant_id IS NULL ORDER BY id")] == [
        runs_out, lasts,
    ]  # fmt: skip
    assert superuser.execute("SELECT mail_id FROM mail_secret").fetchall() == [(lasts,)]


def test_it_goes_in_batches_and_stops_when_its_time_is_over(app, superuser, aged, monkeypatch):
    partner = aged(400)
    monkeypatch.setattr(retention, "BATCH", 2)
    with app.app_context():
        with tenant_scope(partner):
            changes = next(rule for rule in retention.RULES if rule.table == "sync_change")
            assert [retention.forget(changes, partner) for _ in range(3)] == [2, 1, 0]
        monkeypatch.setattr(retention, "LONGEST_SECONDS", 0.0)
        assert not retention.forget_everywhere()
    assert figures(superuser, partner)["idempotency_key"] == 1


def test_the_page_says_what_the_table_in_the_code_says():
    page = (Path(__file__).parents[1] / "docs" / "retention.md").read_text()
    said = {table: int(days) for table, days in re.findall(r"\| `(\w+)` \| (\d+) \|", page)}
    assert said == retention.DAYS
    assert all(
        f"| {rule.what} | `{rule.table}` |" in page
        for rule in (*retention.RULES, *retention.OF_PEOPLE, *retention.OF_THE_PORTAL)
    )


def test_no_money_and_no_audit_is_ever_forgotten():
    assert not STAY & set(retention.DAYS)
    assert not [rule for rule in retention.RULES if rule.table not in Base.metadata.tables]
