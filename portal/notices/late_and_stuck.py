"""What lasts until somebody acts or it mends: found over all partners by one statement a kind.

Nothing that a retry mends within its usual time is told: a refused login is probed once more after 15 minutes, a
payment may wait an hour, a sync three of its periods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text

from portal import connect, formatters
from portal.access.tenancy import scoped, system_scope
from portal.extensions import db
from portal.models import MailKind, Notice, NoticeKind, RunState, SyncRun, Tenant
from portal.notices import telling
from portal.notices.telling import Words

REFUSED = "SELECT tenant_id FROM integration_status WHERE state = 'needs_reconnecting' AND probe_at IS NULL"
STUCK = """
    SELECT d.tenant_id, d.error FROM delivery d JOIN integration_status i ON i.tenant_id = d.tenant_id AND i.state = 'connected'
    WHERE d.state <> 'confirmed' AND d.closed_at IS NULL AND ((d.state = 'parked' AND d.next_try_at IS NULL)
        OR (d.wished_at <= now() - interval '1 hour' AND (d.attempts > 0 OR d.error IS NOT NULL
            OR d.next_try_at <= now() - interval '1 hour')))"""
# Tried for two periods and not completed in three: a connection that has just come back is not late at once.
LATE = """
    SELECT s.tenant_id, s.kind FROM sync_schedule s
    JOIN integration_status i ON i.tenant_id = s.tenant_id AND i.integration_id = s.integration_id
    JOIN (VALUES ('new', interval '1 hour'), ('pdfs', interval '1 hour'), ('unpaid', interval '1 day'),
        ('customers', interval '7 days')) AS p (kind, period) ON p.kind = s.kind
    WHERE i.state = 'connected'
    AND NOT EXISTS (SELECT FROM run_standing r WHERE r.tenant_id = s.tenant_id AND r.integration_id = s.integration_id
        AND r.kind IN (s.kind, 'all') AND r.state = 'completed' AND r.created_at > now() - 4 * p.period
        AND r.finished_at > now() - 3 * p.period)
    AND EXISTS (SELECT FROM run_standing r WHERE r.tenant_id = s.tenant_id AND r.integration_id = s.integration_id
        AND r.kind IN (s.kind, 'all') AND r.created_at <= now() - 2 * p.period
        AND (r.state IN ('waiting', 'running') OR r.created_at > now() - 4 * p.period))"""
BEGUN = """
    SELECT DISTINCT h.tenant_id FROM ({}) h JOIN tenant t ON t.id = h.tenant_id AND t.disabled_at IS NULL
    WHERE NOT EXISTS (SELECT FROM notice_standing n
        WHERE n.tenant_id = h.tenant_id AND n.kind = :kind AND n.ended_at IS NULL)"""
OVER = """
    SELECT n.tenant_id FROM notice_standing n WHERE n.kind = :kind AND n.ended_at IS NULL
        AND n.tenant_id NOT IN (SELECT h.tenant_id FROM ({}) h)"""
KINDS_OF_SYNC = {
    "new": "new invoices and customers, which come every hour",
    "pdfs": "PDF invoices, which come every hour",
    "unpaid": "changes to unpaid invoices, which come every day",
    "customers": "all customers, which are read every week",
}


@dataclass(frozen=True)
class Begun:
    """`since` is when it began, where that is not when it is told."""

    cause: str
    words: Words
    since: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """`holds` is SQL for the partners where it holds; `begun` and `over` say it, inside the partner."""

    kind: NoticeKind
    holds: str
    begun: Callable[[Tenant], Begun | None]
    over: Callable[[Tenant, Notice], Words | None]


def begun_at(standing: Standing) -> list[int]:
    """Partners where it holds and nobody was told."""
    return _partners(BEGUN.format(standing.holds), standing.kind)


def over_at(standing: Standing) -> list[int]:
    """Partners who were told and where it does not hold any more."""
    return _partners(OVER.format(standing.holds), standing.kind)


def begin(standing: Standing, partner: Tenant) -> None:
    """Inside the partner. The caller commits."""
    found = standing.begun(partner)
    if found is not None:
        telling.tell(standing.kind, found.cause, found.words, at=found.since)


def end(standing: Standing, partner: Tenant) -> None:
    """Inside the partner. The caller commits."""
    query = scoped(Notice).where(Notice.kind == standing.kind, Notice.ended_at.is_(None))
    notice = db.session.scalar(query.execution_options(populate_existing=True))
    if notice is not None:
        telling.end(notice, standing.over(partner, notice))


def _partners(query: str, kind: NoticeKind) -> list[int]:
    with system_scope():
        found = list(db.session.scalars(text(query), {"kind": kind}))
        db.session.commit()
    return found


def _refused(partner: Tenant) -> Begun | None:
    integration = connect.current(anew=True)
    if integration is None or integration.reconnect_since is None:
        return None
    since = formatters.instant(integration.reconnect_since, with_zone=True)
    reason = integration.reconnect_reason or "Autotask did not accept the key or secret."
    cause = f"{integration.id}/{integration.reconnect_since.isoformat()}"
    words = Words(
        f"Autotask needs reconnecting. {reason}",
        telling.page("integrations.show", partner_slug=partner.slug),
        MailKind.NEEDS_RECONNECTING,
        {"reason": reason, "since": since},
    )
    return Begun(cause, words, integration.reconnect_since)


def _accepted(partner: Tenant, notice: Notice) -> Words | None:
    integration = connect.current(anew=True)
    if integration is None or not integration.is_connected:
        return None
    return Words(
        "Autotask is connected again. What waited goes on by itself.",
        telling.page("integrations.show", partner_slug=partner.slug),
        MailKind.RECONNECTED,
        {"since": notice.created_at},
    )


def _late(partner: Tenant) -> Begun | None:
    with system_scope():
        rows = db.session.execute(text(f"{LATE} AND s.tenant_id = :partner"), {"partner": partner.id}).all()
    items = [KINDS_OF_SYNC[row.kind] for row in rows]
    if not items:
        return None
    words = Words(
        f"A sync is late: {'; '.join(items)}.",
        telling.page("integrations.show", partner_slug=partner.slug),
        MailKind.SYNC_LATE,
        {"items": items},
    )
    return Begun(_cause(), words)


def _in_time(partner: Tenant, notice: Notice) -> Words | None:
    integration = connect.current(anew=True)
    if integration is None or not integration.is_connected or not _came_in_since(notice.created_at):
        return None
    return Words(
        "The late sync has been made up for.",
        telling.page("integrations.show", partner_slug=partner.slug),
        MailKind.SYNC_ON_TIME,
        {"since": notice.created_at},
    )


def _came_in_since(begun: datetime) -> bool:
    """False where the syncs only stopped, as those of a partner that was disabled."""
    done = (SyncRun.state == RunState.COMPLETED) & (SyncRun.finished_at > begun)
    return bool(db.session.scalar(select(scoped(SyncRun).where(done).exists())))


def _stuck(partner: Tenant) -> Begun | None:
    statement = text(f"{STUCK} AND d.tenant_id = :partner ORDER BY d.wished_at, d.id")
    stuck = db.session.execute(statement, {"partner": partner.id}).all()
    if not stuck:
        return None
    number = formatters.plural(stuck, "invoice")
    words = Words(
        f"Autotask could not be told of the payments of {number}.",
        telling.page("deliveries.index", partner_slug=partner.slug, show="needs"),
        MailKind.PAYMENTS_STUCK,
        {"invoices": number, "reason": next((row.error for row in stuck if row.error), "")},
    )
    return Begun(_cause(), words)


def _told(partner: Tenant, notice: Notice) -> Words | None:
    integration = connect.current(anew=True)
    if integration is None or not integration.is_connected:
        return None
    return Words(
        "No payment is stuck any more.",
        telling.page("deliveries.index", partner_slug=partner.slug),
        MailKind.PAYMENTS_TOLD,
        {"since": notice.created_at},
    )


def _cause() -> str:
    """A new one each time: of these, only one is open."""
    return str(db.session.scalar(text("SELECT clock_timestamp()")).isoformat())


STANDING = (
    Standing(NoticeKind.NEEDS_RECONNECTING, REFUSED, _refused, _accepted),
    Standing(NoticeKind.SYNC_LATE, LATE, _late, _in_time),
    Standing(NoticeKind.PAYMENTS_STUCK, STUCK, _stuck, _told),
)
