"""Fetch New Data and Fetch Unpaid Invoices: when a person may press, and why not (rule 3.5)."""

from datetime import datetime, timedelta

from sqlalchemy import text

from portal import clock, formatters
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import INCOMPLETE, Integration, SyncKind, SyncRun, SyncTrigger, Tenant
from portal.sync import runs, standing

LIMITS = {SyncKind.NEW: timedelta(hours=1), SyncKind.UNPAID: timedelta(hours=12)}
NAMES = {SyncKind.NEW: "Fetch New Data", SyncKind.UNPAID: "Fetch Unpaid Invoices"}
HOW_OFTEN = {SyncKind.NEW: "once per hour", SyncKind.UNPAID: "once per 12 hours"}
BY_HAND = (SyncTrigger.BUTTON, SyncTrigger.COMMAND)

PRESS_LOCK = text("SELECT pg_advisory_xact_lock(8202, hashtext(:key))")


class Refused(ValueError):
    """A press that is refused; str() says why, with the exact time of the next allowed one."""

    def __init__(self, sentence: str, next_at: datetime | None = None) -> None:
        super().__init__(sentence)
        self.next_at = next_at


def press(
    integration: Integration, kind: str, trigger: str, actor: Actor, *, forced: bool = False
) -> SyncRun:
    """Starts a sync by hand, or gives the one that is under way: two presses at once start one run.

    Raises Refused. The caller commits, then rings.
    """
    db.session.execute(PRESS_LOCK, {"key": f"{integration.tenant_id}/{integration.id}/{kind}"})
    running = incomplete(integration, kind)
    if running is not None:
        return running
    if not forced:
        reason = refusal(integration, kind)
        if reason is not None:
            raise reason
    return runs.start(integration, kind, trigger, actor, forced=forced)


def refusal(integration: Integration, kind: str) -> Refused | None:
    """Why a press is refused now, or None."""
    return refusal_after(last_press(integration, kind), integration, kind)


def refusal_after(last: SyncRun | None, integration: Integration, kind: str) -> Refused | None:
    """The same, for who knows the last press."""
    if not integration.is_connected:
        return Refused("Autotask is not connected, so nothing can be fetched. Connect it again first.")
    if kind not in LIMITS:
        return None
    name = NAMES[SyncKind(kind)]
    if not integration.is_primary:
        return Refused(f"{name} exists only where Autotask is the primary integration.")
    if standing.waits_for_filters(integration):
        return Refused(
            "Nothing was read yet. Choose filters or start the first sync on the integration's page."
        )
    next_at = _next_after(last, kind)
    if next_at is None or next_at <= clock.now():
        return None
    often = HOW_OFTEN[SyncKind(kind)]
    return Refused(f"{name} can be started {often}. The next time is {spoken(next_at)}.", next_at)


def next_allowed_at(integration: Integration, kind: str) -> datetime | None:
    """When the next press is allowed, counted from the last start by hand; None when it never was pressed."""
    return _next_after(last_press(integration, kind), kind)


def _next_after(last: SyncRun | None, kind: str) -> datetime | None:
    return last.created_at + LIMITS[SyncKind(kind)] if last else None


def last_press(integration: Integration, kind: str) -> SyncRun | None:
    """The newest run of a kind that a person started; what an operator forced does not count."""
    return db.session.scalar(
        scoped(SyncRun)
        .where(
            SyncRun.integration_id == integration.id,
            SyncRun.kind == kind,
            SyncRun.trigger.in_(BY_HAND),
            SyncRun.forced.is_(False),
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def incomplete(integration: Integration, kind: str) -> SyncRun | None:
    """The run of this kind that waits or runs now."""
    return db.session.scalar(
        scoped(SyncRun)
        .where(
            SyncRun.integration_id == integration.id,
            SyncRun.kind == kind,
            SyncRun.state.in_(INCOMPLETE),
        )
        .execution_options(populate_existing=True)
    )


def spoken(at: datetime) -> str:
    """An instant in the partner's zone, with seconds, as "22 Nov 2026, 14:07:31 CET"."""
    with formatters.written_for(db.session.get_one(Tenant, current_tenant_id())):
        return formatters.instant(at, True, True)
