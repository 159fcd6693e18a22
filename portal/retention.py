"""What is forgotten, and after how many days: docs/retention.md says the same in words, and why the rest stays.

Old rows go in small batches, each a transaction of its own, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db, rows_written
from portal.mail import outbox
from portal.models import LoginSession, Tenant

log = structlog.get_logger(__name__)
BATCH = 500
# The rest waits for the next time: a bell's job has a minute.
LONGEST_SECONDS = 40.0


@dataclass(frozen=True)
class Rule:
    """`old` is SQL over a row `r` of `table`, with `:before` for the moment that many days ago."""

    what: str
    table: str
    days: int
    old: str


OLD_RUNS = """r.run_id IN (SELECT o.id FROM sync_run o WHERE o.tenant_id = :tenant_id AND o.created_at < :before
    AND o.state NOT IN ('waiting', 'running'))"""
LAST_RUNS = """r.created_at < :before AND r.state NOT IN ('waiting', 'running')
    AND EXISTS (SELECT FROM sync_run n WHERE n.tenant_id = :tenant_id AND n.integration_id = r.integration_id
        AND n.kind = r.kind AND n.state = 'completed' AND n.id > r.id)
    AND NOT EXISTS (SELECT FROM sync_change c WHERE c.tenant_id = :tenant_id AND c.run_id = r.id)
    AND NOT EXISTS (SELECT FROM exception_item e WHERE e.tenant_id = :tenant_id AND e.run_id = r.id)"""
OLD_IMPORTS = """r.run_id IN (SELECT i.id FROM import_run i WHERE i.tenant_id = :tenant_id
    AND i.created_at < :before)"""
FILE_DAYS = 30
OLD_FILES = """r.file_id IN (SELECT f.id FROM import_file f WHERE f.tenant_id = :tenant_id
    AND f.created_at < :before AND f.state NOT IN ('arriving', 'checking', 'taking', 'undoing'))"""
UNTAKEN_FILES = """r.created_at < :before AND r.state IN ('refused', 'staged', 'checked')
    AND NOT EXISTS (SELECT FROM import_file_row w WHERE w.tenant_id = :tenant_id AND w.file_id = r.id)
    AND NOT EXISTS (SELECT FROM import_file_record w WHERE w.tenant_id = :tenant_id AND w.file_id = r.id)"""
OLD_TRIES = """r.started_at < :before AND r.wrote IS NULL AND r.may_land_until IS NULL
    AND r.outcome NOT IN ('started', 'confirmed', 'nothing_to_do')
    AND EXISTS (SELECT FROM delivery_attempt n WHERE n.tenant_id = :tenant_id AND n.delivery_id = r.delivery_id
        AND n.id > r.id)"""
OLD_VISITS = """r.visit_id IN (SELECT v.id FROM support_visit v
    WHERE v.tenant_id = :tenant_id AND v.started_at < :before)"""
OLD_MESSAGES = """r.event_id IN (SELECT e.id FROM event e WHERE e.tenant_id = :tenant_id
    AND e.created_at < :before)"""
# The newest place stays: those that come after it go on from there.
OLD_EVENTS = """r.created_at < :before AND (r.place IS NULL
    OR r.place < (SELECT max(n.place) FROM event n WHERE n.tenant_id = :tenant_id))"""
OLD_ENDPOINTS = """r.state = 'removed' AND r.off_since < :before AND NOT EXISTS (
    SELECT FROM webhook_message m WHERE m.tenant_id = :tenant_id AND m.endpoint_id = r.id)"""

LOGIN_SESSION_DAYS, MAIL_DAYS = 90, 90
OLD_MAILS = "r.created_at < :before AND r.state <> 'waiting'"
LOGIN_LINK_DAYS = 30
RULES = (
    Rule("What a sync run changed, field by field", "sync_change", 180, OLD_RUNS),
    Rule("Finished sync runs", "sync_run", 180, LAST_RUNS),
    Rule("What an import did, record by record", "import_row", 180, OLD_IMPORTS),
    Rule("Rows of uploaded files", "import_file_row", FILE_DAYS, OLD_FILES),
    Rule("What records of uploaded files did, for undoing it", "import_file_record", FILE_DAYS, OLD_FILES),
    Rule("Uploads that were not taken in", "import_file", FILE_DAYS, UNTAKEN_FILES),
    Rule("Tries of a delivery that sent nothing", "delivery_attempt", 180, OLD_TRIES),
    Rule("Pages that support looked at during a visit", "support_request", 365, OLD_VISITS),
    Rule("Keys of repeated requests, with their answers", "idempotency_key", 30, "r.created_at < :before"),
    Rule("Mails that do not wait to be sent", "mail", MAIL_DAYS, OLD_MAILS),
    Rule(
        "Notices that are not open",
        "notice",
        365,
        "r.changed_at < :before AND (r.ended_at IS NOT NULL OR "
        "r.kind NOT IN ('needs_reconnecting', 'sync_late', 'payments_stuck'))",
    ),
    Rule("What went out to a partner's own addresses", "webhook_message", 30, OLD_MESSAGES),
    Rule("Events for other systems", "event", 30, OLD_EVENTS),
    Rule("Secrets of webhooks that were replaced", "webhook_secret", 1, "r.ends_at < :before"),
    Rule("Webhook endpoints that were removed", "webhook_endpoint", 31, OLD_ENDPOINTS),
    Rule("Invitations", "invitation", 90, "r.expires_at < :before"),
    Rule("When pages of invoices were read", "read_range", 90, "r.read_at < :before"),
    Rule("Counts of calls to Autotask, by the minute", "api_usage", 30, "r.minute < :before"),
)
# Of people, who belong to no one partner: `old` as above.
OF_PEOPLE = (
    Rule("What happened to a person's login", "security_event", 365, "r.at < :before"),
    Rule("Codes and challenges that were used up", "spent_proof", 2, "r.spent_at < :before"),
)
# Of nobody.
OF_THE_PORTAL = (
    Rule("When a process was last heard of", "heartbeat", 7, "r.beat_at < :before"),
    Rule("What checks found, minute by minute", "health_reading", 2, "r.at < :before"),
    Rule("Alarms that are over", "alarm", 365, "r.ended_at < :before"),
)
# Table: days, for the test that compares with the page.
DAYS = {rule.table: rule.days for rule in (*RULES, *OF_PEOPLE, *OF_THE_PORTAL)} | {
    "login_session": LOGIN_SESSION_DAYS,
    "login_link": LOGIN_LINK_DAYS,
}


def forget_everywhere() -> bool:
    """Deletes what is past its days, of all partners. Commits; safe to run twice; False if time was over first."""
    until = clock.monotonic() + LONGEST_SECONDS
    for tenant_id in db.session.scalars(select(Tenant.id).order_by(Tenant.id)).all():
        for rule in RULES:
            with tenant_scope(tenant_id):
                forgotten = _forget_all(rule, tenant_id, until)
            if forgotten:
                log.info("retention.forgot", table=rule.table, rows=forgotten, partner_id=tenant_id)
        with tenant_scope(tenant_id):
            outbox.erase_useless_links()
    outbox.erase_useless_links()
    forget_mails_of_people()
    forget_login_sessions()
    forget_login_links()
    for rule in (*OF_PEOPLE, *OF_THE_PORTAL):
        forget_of_people(rule, until)
    return clock.monotonic() < until


def _forget_all(rule: Rule, tenant_id: int, until: float) -> int:
    forgotten = 0
    while clock.monotonic() < until:
        written = forget(rule, tenant_id)
        forgotten += written
        if written < BATCH:
            break
    return forgotten


def forget(rule: Rule, tenant_id: int) -> int:
    """Deletes one batch of the partner in scope; how many rows. Commits."""
    written = rows_written(
        text(
            f"""DELETE FROM {rule.table} WHERE tenant_id = :tenant_id AND id IN (
            SELECT r.id FROM {rule.table} r WHERE r.tenant_id = :tenant_id AND {rule.old}
            ORDER BY r.id LIMIT {BATCH})"""
        ),
        {"tenant_id": tenant_id, "before": clock.now() - timedelta(days=rule.days)},
    )
    db.session.commit()
    return written


def forget_mails_of_people() -> int:
    """Mails that belong to no partner: whoever is in no partner's scope sees only those. Commits."""
    written = rows_written(
        text(f"DELETE FROM mail r WHERE {OLD_MAILS}"),
        {"before": clock.now() - timedelta(days=MAIL_DAYS)},
    )
    db.session.commit()
    return written


def forget_of_people(rule: Rule, until: float) -> None:
    """Deletes what is past its days, in batches. Commits."""
    batch = f"""DELETE FROM {rule.table} WHERE ctid IN (
        SELECT r.ctid FROM {rule.table} r WHERE {rule.old} LIMIT {BATCH})"""
    while clock.monotonic() < until:
        written = rows_written(text(batch), {"before": clock.now() - timedelta(days=rule.days)})
        db.session.commit()
        if written < BATCH:
            break


def forget_login_sessions() -> int:
    """Logins that were last used long ago; one in which a support visit began stays, like the visit. Commits."""
    forgotten = 0
    for ids in _old_logins():
        for login_id in ids:
            forgotten += _forget_login(login_id)
        db.session.commit()
    return forgotten


def forget_login_links() -> int:
    """Links for a new password or address that ran out long ago. Commits."""
    before = clock.now() - timedelta(days=LOGIN_LINK_DAYS)
    forgotten = rows_written(text("DELETE FROM login_link WHERE expires_at < :before"), {"before": before})
    db.session.commit()
    return forgotten


def _old_logins() -> Iterator[list[int]]:
    before, after = clock.now() - timedelta(days=LOGIN_SESSION_DAYS), 0
    while ids := list(
        db.session.scalars(
            select(LoginSession.id)
            .where(LoginSession.last_used_at < before, LoginSession.id > after)
            .order_by(LoginSession.id)
            .limit(BATCH)
        )
    ):
        yield ids
        after = ids[-1]


def _forget_login(login_id: int) -> int:
    try:
        with db.session.begin_nested():
            return rows_written(text("DELETE FROM login_session WHERE id = :id"), {"id": login_id})
    except IntegrityError:  # a support visit names it; only its partner's scope could see that
        return 0
