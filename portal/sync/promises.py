"""The seed's table, live: what was promised for each item, and whether it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.ledger.unconfirmed import Group, Why, groups, groups_from
from portal.models import (
    Delivery,
    DeliveryState,
    Integration,
    RunState,
    SyncKind,
    SyncRun,
    SyncSchedule,
)
from portal.sync import counts, standing

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A run needs a while; less than this after it was due is not late.
GRACE = {SyncKind.NEW: timedelta(minutes=15), SyncKind.PDFS: timedelta(minutes=30), SyncKind.UNPAID: HOUR}


@dataclass(frozen=True)
class Promise:
    """One row. `late_by` is None while it is kept; `never` for what is never synced; `held` says why it waits.
    `needs` deliveries are late or stuck."""

    item: str
    promise: str
    run: SyncRun | None = None
    done_at: datetime | None = None
    next_at: datetime | None = None
    late_by: timedelta | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    words: str = ""
    never: bool = False
    held: str = ""
    stuck: int = 0
    needs: int = 0
    wish: str = ""
    counted: str = ""

    @property
    def state(self) -> str:
        if self.never:
            return "never"
        if self.held:
            return self.held
        if self.late_by is not None:
            return "late"
        if self.stuck:
            return "parked"
        return "up_to_date" if self.done_at or self.words else "waiting"


def table(
    integration: Integration, now: datetime | None = None, unconfirmed: Sequence[Group] | None = None
) -> list[Promise]:
    """The rows for the integration's page; what is `unconfirmed` comes from the page's own reading."""
    now = now or clock.now()
    due = _due(integration)
    synced = [] if not integration.is_primary else [
        _row("New invoices", "Hourly", (SyncKind.NEW, SyncKind.ALL), counts.INVOICES, SyncKind.NEW, due, now),
        _row("Changes to unpaid invoices", "Daily", (SyncKind.UNPAID, SyncKind.ALL), counts.INVOICES,
             SyncKind.UNPAID, due, now),
        _row("Line items", "Hourly for new, daily for changed ones", (SyncKind.NEW, SyncKind.UNPAID, SyncKind.ALL),
             counts.LINES, SyncKind.NEW, due, now),
        _row("Customers and contacts", "Hourly", (SyncKind.NEW, SyncKind.CUSTOMERS, SyncKind.ALL),
             counts.CUSTOMERS, SyncKind.NEW, due, now),
        _row("PDF invoices", "Hourly", (SyncKind.PDFS,), counts.PDFS, SyncKind.PDFS, due, now),
    ]  # fmt: skip
    matched = [] if integration.is_primary else [
        _row("Matching with Autotask's invoices", "Hourly", (SyncKind.NEW, SyncKind.ALL), counts.INVOICES,
             SyncKind.NEW, due, now),
    ]  # fmt: skip
    sent = _deliveries(_unconfirmed() if unconfirmed is None else unconfirmed, now)
    held = standing.held_by(integration, now)
    return [
        *(replace(row, held=held) for row in synced + matched),
        *(replace(row, held=held if held in standing.HOLDS_PAYMENTS else "") for row in sent),
        Promise("Deposits", "Never", never=True),
        Promise("Archiving invoices and customers", "Never, only by a person", never=True),
    ]


def sentence(promises: list[Promise], integration: Integration, now: datetime | None = None) -> str:
    """ "Up to date: everything arrived when promised.", or why nothing arrives and what is late."""
    held = standing.held_by(integration, now or clock.now())
    return " ".join(part for part in (standing.HELD.get(held, ""), _lateness(promises, bool(held))) if part)


def _lateness(promises: list[Promise], held: bool) -> str:
    late = [one for one in promises if one.late_by is not None]
    stuck = [one for one in promises if one.stuck]
    said = []
    if late:
        said.append("Late: " + ", ".join(_inside_sentence(one.item) for one in late) + ".")
    if stuck:
        said.append("Stuck: " + ", ".join(_inside_sentence(one.item) for one in stuck) + ".")
    return " ".join(said) or ("" if held else "Up to date: everything arrived when promised.")


def _inside_sentence(item: str) -> str:
    """ "PDF invoices" and "new invoices"."""
    return " ".join(word if word.isupper() else word.lower() for word in item.split())


def _row(
    item: str,
    promise: str,
    kinds: tuple[SyncKind, ...],
    counted: str,
    scheduled: SyncKind,
    due: Mapping[str, datetime],
    now: datetime,
) -> Promise:
    run = _last_completed(kinds)
    next_at = due.get(scheduled)
    numbers = {name: run.items.get(counted, {}).get(name, 0) for name in counts.NUMBERS} if run else {}
    return Promise(
        item=item,
        promise=promise,
        run=run,
        done_at=run.finished_at if run else None,
        next_at=next_at,
        late_by=_late(scheduled, next_at, now),
        numbers=numbers,
        counted=counted,
    )


def _late(kind: SyncKind, next_at: datetime | None, now: datetime) -> timedelta | None:
    """Late counts from when the oldest run not yet completed was due."""
    waiting = db.session.scalar(
        select(func.min(SyncRun.due_at)).where(
            SyncRun.tenant_id == current_tenant_id(),
            SyncRun.kind == kind,
            SyncRun.due_at > func.coalesce(_completed_due(kind), datetime(1970, 1, 1, tzinfo=now.tzinfo)),
        )
    )
    oldest = min((at for at in (waiting, next_at) if at is not None), default=None)
    if oldest is None or now - oldest < GRACE[kind]:
        return None
    return now - oldest


def _completed_due(kind: SyncKind) -> object:
    """When the last completed run began, by the clock or by hand: what was due before is made good."""
    return (
        select(func.max(SyncRun.started_at))
        .where(
            SyncRun.tenant_id == current_tenant_id(),
            SyncRun.kind.in_((kind, SyncKind.ALL)),
            SyncRun.state == RunState.COMPLETED,
        )
        .scalar_subquery()
    )


def _last_completed(kinds: tuple[SyncKind, ...]) -> SyncRun | None:
    return db.session.scalar(
        scoped(SyncRun)
        .where(SyncRun.kind.in_(kinds), SyncRun.state == RunState.COMPLETED)
        .order_by(SyncRun.finished_at.desc())
        .limit(1)
    )


def _due(integration: Integration) -> dict[str, datetime]:
    rows = db.session.execute(
        select(SyncSchedule.kind, SyncSchedule.next_due_at).where(
            SyncSchedule.tenant_id == current_tenant_id(), SyncSchedule.integration_id == integration.id
        )
    )
    return {row.kind: row.next_due_at for row in rows}


def _deliveries(unconfirmed: Sequence[Group], now: datetime) -> list[Promise]:
    rows = db.session.execute(
        select(Delivery.wish_paid_on.is_not(None), func.count(), func.max(Delivery.confirmed_at))
        .where(Delivery.tenant_id == current_tenant_id(), Delivery.state == DeliveryState.CONFIRMED)
        .group_by(Delivery.wish_paid_on.is_not(None))
    ).all()
    confirmed = {paid: (number, at) for paid, number, at in rows}
    return [
        _delivered(
            Promise(item, "In real time", done_at=confirmed.get(wish == "paid", (0, None))[1], wish=wish),
            [one for one in unconfirmed if one.paid == (wish == "paid")],
            confirmed.get(wish == "paid", (0, None))[0],
            now,
        )
        for item, wish in (("Payments", "paid"), ("Deleted payments", "unpaid"))
    ]


def _delivered(promise: Promise, unconfirmed: Sequence[Group], confirmed: int, now: datetime) -> Promise:
    stuck = sum(one.late for one in unconfirmed if one.why == Why.STUCK)
    since = min(
        (one.late_since for one in unconfirmed if one.late_since and one.why != Why.STUCK), default=None
    )
    on_the_way = sum(one.number for one in unconfirmed) - stuck
    return replace(
        promise,
        late_by=now - since if since else None,
        words=f"{confirmed:,} confirmed, {on_the_way:,} on the way",
        stuck=stuck,
        needs=sum(one.late for one in unconfirmed),
    )


def _unconfirmed() -> Sequence[Group]:
    mine = groups().where(Delivery.tenant_id == current_tenant_id())
    return groups_from(db.session.execute(mine).all())
