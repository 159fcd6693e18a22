"""Is anything wrong, and what is owed?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, cast, false, func, literal, select, true, union_all

from portal import connect
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    INCOMPLETE,
    Agreement,
    ExceptionItem,
    ExceptionState,
    Integration,
    IntegrationState,
    Invoice,
    InvoiceSum,
    RunState,
    SyncRun,
    SyncSchedule,
)
from portal.money import ZERO
from portal.queries import cut, home_bars, invoices
from portal.queries.home_bars import Bar

COMPARED = (Agreement.AGREES, Agreement.WAITING, Agreement.DIFFERS, Agreement.MISSING)
# Not compared, because one side has nothing to say.
APART = (Agreement.VOIDED, Agreement.OUTSIDE_FILTERS, Agreement.PORTAL_ONLY)
SHOWN = 5


@dataclass(frozen=True)
class Comparison:
    """How many invoices both sides say the same about, of those that both sides have."""

    agreeing: int
    compared: int
    waiting: int
    differing: int
    missing: int
    apart: Mapping[Agreement, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """Receivables by age and money collected by month, in one currency."""

    currency: str
    ages: Sequence[Bar]
    months: Sequence[Bar]

    invoices: int = 0

    @property
    def outstanding(self) -> Decimal:
        return sum((bar.amount for bar in self.ages), ZERO)

    @property
    def collected(self) -> Decimal:
        """In the months shown."""
        return sum((bar.amount for bar in self.months), ZERO)

    @property
    def has_collected(self) -> bool:
        return any(bar.amount for bar in self.months)

    @property
    def not_due(self) -> Decimal:
        return self.ages[0].amount

    @property
    def overdue(self) -> Decimal:
        return self.outstanding - self.not_due


@dataclass(frozen=True)
class Syncs:
    """The partner's integration, its last completed read, the one under way, and the next."""

    integration: Integration | None
    last: SyncRun | None
    running: SyncRun | None
    failed: SyncRun | None
    next_due_at: Any

    @property
    def failed_since(self) -> SyncRun | None:
        """The last failed read, while none was completed after it."""
        if self.failed is None or (self.last is not None and self.last.id > self.failed.id):
            return None
        return self.failed

    @property
    def next_read_at(self) -> Any:
        """None while the integration is not one that is read by the clock."""
        connected = self.integration is not None and self.integration.state == IntegrationState.CONNECTED
        return self.next_due_at if connected else None


def comparison() -> Comparison:
    """Counts over invoices that are not archived."""
    by_agreement = (
        select(InvoiceSum.agreement, cast(func.sum(InvoiceSum.invoices), BigInteger), false())
        .where(InvoiceSum.tenant_id == current_tenant_id(), InvoiceSum.archived.is_(False))
        .group_by(InvoiceSum.agreement)
        .having(func.sum(InvoiceSum.invoices) != 0)
    )
    rows = db.session.execute(union_all(by_agreement, *(_marked(mark) for mark in invoices.MARKS))).all()
    counts = {agreement: number for agreement, number, is_mark in rows if not is_mark}
    marked = {agreement: number for agreement, number, is_mark in rows if is_mark}
    apart = counts | marked
    return Comparison(
        agreeing=counts.get(Agreement.AGREES, 0),
        compared=sum(counts.get(agreement, 0) for agreement in COMPARED),
        waiting=counts.get(Agreement.WAITING, 0),
        differing=counts.get(Agreement.DIFFERS, 0),
        missing=marked[Agreement.MISSING],
        apart={agreement: apart[agreement] for agreement in APART if apart.get(agreement)},
    )


def _marked(mark: Agreement) -> Any:
    """How many left the filters or Autotask, as the list of them has it."""
    return select(literal(mark.value), func.count(), true()).where(
        Invoice.tenant_id == current_tenant_id(), Invoice.archived_at.is_(None), invoices.said_there(mark)
    )


def attention() -> cut.Some:
    """The open exceptions that were opened first, and how many are open."""
    return cut.first(
        scoped(ExceptionItem)
        .where(ExceptionItem.state == ExceptionState.OPEN)
        .order_by(ExceptionItem.first_seen_at, ExceptionItem.id),
        SHOWN,
    )


def figures(today: date) -> list[Figures]:
    """Receivables and collections, one per currency that has any."""
    ages, counts = home_bars.ages(today)
    months = home_bars.collected(today)
    found = [
        Figures(
            currency,
            ages.get(currency, home_bars.age_bars({})),
            home_bars.month_bars(months.get(currency, {}), today),
            counts.get(currency, 0),
        )
        for currency in {*ages, *months}
    ]
    return [one for one in found if one.invoices or one.collected]


def syncs() -> Syncs:
    """What is connected, and when it was and will be read."""
    return Syncs(
        integration=connect.current(),
        last=_latest(SyncRun.state == RunState.COMPLETED),
        running=_latest(SyncRun.state.in_(INCOMPLETE)),
        failed=_latest(SyncRun.state == RunState.FAILED),
        next_due_at=db.session.scalar(
            select(func.min(SyncSchedule.next_due_at)).where(SyncSchedule.tenant_id == current_tenant_id())
        ),
    )


def _latest(condition: Any) -> SyncRun | None:
    return db.session.scalar(scoped(SyncRun).where(condition).order_by(SyncRun.id.desc()).limit(1))
