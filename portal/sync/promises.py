"""The seed's table, live: what was promised for each item, and whether it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

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
    def is_to_come(self) -> bool:
        """It never arrived so far, and what is sent has its own words."""
        return not (self.never or self.done_at or self.words)

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
    runs, waiting, due = _last_completed(), _waiting(now), _due(integration)

    def _row(
        item: str, promise: str, kinds: tuple[SyncKind, ...], counted: str, scheduled: SyncKind
    ) -> Promise:
        run = max((runs[kind] for kind in kinds if kind in runs), key=_ended, default=None)
        return _promised(item, promise, run, counted, due.get(scheduled), _late(scheduled, waiting, due, now))

    synced = [] if not integration.is_primary else [
        _row("New invoices", "Hourly", (SyncKind.NEW, SyncKind.ALL), counts.INVOICES, SyncKind.NEW),
        _row("Changes to unpaid invoices", "Daily", (SyncKind.UNPAID, SyncKind.ALL), counts.INVOICES,
             SyncKind.UNPAID),
        _row("Line items", "Hourly for new, daily for changed ones", (SyncKind.NEW, SyncKind.UNPAID, SyncKind.ALL),
             counts.LINES, SyncKind.NEW),
        _row("Customers and contacts", "Hourly", (SyncKind.NEW, SyncKind.CUSTOMERS, SyncKind.ALL),
             counts.CUSTOMERS, SyncKind.NEW),
        _row("PDF invoices", "Hourly", (SyncKind.PDFS,), counts.PDFS, SyncKind.PDFS),
    ]  # fmt: skip
    matched = [] if integration.is_primary else [
        _row("Matching with Autotask's invoices", "Hourly", (SyncKind.NEW, SyncKind.ALL), counts.INVOICES,
             SyncKind.NEW),
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
    coming = [_inside_sentence(one.item) for one in promises if one.is_to_come]
    if said or held:
        return " ".join(said)
    if coming:
        return f"Nothing is late. Not here yet: {', '.join(coming)}."
    return "Up to date: everything arrived when promised."


def _inside_sentence(item: str) -> str:
    """ "PDF invoices" and "new invoices"."""
    return " ".join(word if word.isupper() else word.lower() for word in item.split())


def _promised(
    item: str,
    promise: str,
    run: SyncRun | None,
    counted: str,
    next_at: datetime | None,
    late_by: timedelta | None,
) -> Promise:
    numbers = {name: run.items.get(counted, {}).get(name, 0) for name in counts.NUMBERS} if run else {}
    return Promise(
        item=item,
        promise=promise,
        run=run,
        done_at=run.finished_at if run else None,
        next_at=next_at,
        late_by=late_by,
        numbers=numbers,
        counted=counted,
    )


def _late(
    kind: SyncKind, waiting: Mapping[str, datetime | None], due: Mapping[str, datetime], now: datetime
) -> timedelta | None:
    """Late counts from when the oldest run not yet completed was due."""
    oldest = min((at for at in (waiting[kind], due.get(kind)) if at is not None), default=None)
    if oldest is None or now - oldest < GRACE[kind]:
        return None
    return now - oldest


def _waiting(now: datetime) -> Mapping[str, datetime | None]:
    """By kind, when the oldest run was due that is not made good: in one statement."""
    long_ago = datetime(1970, 1, 1, tzinfo=now.tzinfo)
    oldest = [
        select(func.min(SyncRun.due_at))
        .where(
            SyncRun.tenant_id == current_tenant_id(),
            SyncRun.kind == kind,
            SyncRun.due_at > func.coalesce(_completed_due(kind), long_ago),
        )
        .scalar_subquery()
        .label(kind.value)
        for kind in GRACE
    ]
    return dict(db.session.execute(select(*oldest)).one()._mapping)


def _completed_due(kind: SyncKind) -> Any:
    """When the last completed run began, by the clock or by hand: what was due before is made good."""
    done = aliased(SyncRun)
    return (
        select(func.max(done.started_at))
        .where(
            done.tenant_id == current_tenant_id(),
            done.kind.in_((kind, SyncKind.ALL)),
            done.state == RunState.COMPLETED,
        )
        .scalar_subquery()
    )


def _ended(run: SyncRun) -> datetime:
    assert run.finished_at is not None
    return run.finished_at


def _last_completed() -> Mapping[str, SyncRun]:
    """By kind, the run that was completed last."""
    last = [
        scoped(SyncRun)
        .where(SyncRun.kind == kind, SyncRun.state == RunState.COMPLETED, SyncRun.finished_at.is_not(None))
        .order_by(SyncRun.finished_at.desc())
        .limit(1)
        .with_only_columns(SyncRun.id)
        .scalar_subquery()
        for kind in SyncKind
    ]
    found = db.session.scalars(
        scoped(SyncRun).where(SyncRun.id.in_(last)).execution_options(populate_existing=True)
    )
    return {run.kind: run for run in found}


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
