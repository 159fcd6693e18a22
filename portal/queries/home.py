"""Is anything wrong, and what is owed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import case, extract, func, select

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.formatters import MONTHS
from portal.models import (
    INCOMPLETE,
    Agreement,
    ExceptionItem,
    ExceptionState,
    Integration,
    IntegrationState,
    Invoice,
    Payment,
    RunState,
    SyncRun,
    SyncSchedule,
)
from portal.money import ZERO
from portal.queries import cut
from portal.queries.invoices import UNPAID

COMPARED = (Agreement.AGREES, Agreement.WAITING, Agreement.DIFFERS, Agreement.MISSING)
AGES = (("not_due", "Not due yet"), ("to_30", "1 to 30 days"), ("to_60", "31 to 60 days"),
        ("to_90", "61 to 90 days"), ("over_90", "Over 90 days"))  # fmt: skip
MONTHS_SHOWN = 6
SHOWN = 5


@dataclass(frozen=True)
class Comparison:
    """How many invoices both sides say the same about, of those that both sides have."""

    agreeing: int
    compared: int
    waiting: int
    differing: int
    missing: int


@dataclass(frozen=True)
class Bar:
    label: str
    amount: Decimal
    tone: str = ""
    url: str = ""
    current: bool = False


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
    rows = db.session.execute(
        select(Invoice.agreement, func.count().label("number"))
        .where(Invoice.tenant_id == current_tenant_id(), Invoice.archived_at.is_(None))
        .group_by(Invoice.agreement)
    ).all()
    counts = {row.agreement: row.number for row in rows}
    return Comparison(
        agreeing=counts.get(Agreement.AGREES, 0),
        compared=sum(counts.get(agreement, 0) for agreement in COMPARED),
        waiting=counts.get(Agreement.WAITING, 0),
        differing=counts.get(Agreement.DIFFERS, 0),
        missing=counts.get(Agreement.MISSING, 0),
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
    ages, counts = _ages(today)
    months = _collected(today)
    found = [
        Figures(
            currency,
            ages.get(currency, _age_bars({})),
            _month_bars(months.get(currency, {}), today),
            counts.get(currency, 0),
        )
        for currency in {*ages, *months}
    ]
    return [one for one in found if one.invoices or one.collected]


def syncs() -> Syncs:
    """What is connected, and when it was and will be read."""
    return Syncs(
        integration=db.session.scalar(scoped(Integration).order_by(Integration.id).limit(1)),
        last=_latest(SyncRun.state == RunState.COMPLETED),
        running=_latest(SyncRun.state.in_(INCOMPLETE)),
        failed=_latest(SyncRun.state == RunState.FAILED),
        next_due_at=db.session.scalar(
            select(func.min(SyncSchedule.next_due_at)).where(SyncSchedule.tenant_id == current_tenant_id())
        ),
    )


def _latest(condition: Any) -> SyncRun | None:
    return db.session.scalar(scoped(SyncRun).where(condition).order_by(SyncRun.id.desc()).limit(1))


def _ages(today: date) -> tuple[dict[str, list[Bar]], dict[str, int]]:
    """Bars of what is unpaid, and how many invoices that is, by currency."""
    late = func.coalesce(today - Invoice.due_on, 0)
    group = case((late <= 0, "not_due"), (late <= 30, "to_30"), (late <= 60, "to_60"), (late <= 90, "to_90"),
                 else_="over_90")  # fmt: skip
    rows = db.session.execute(
        select(Invoice.currency, group.label("age"), func.sum(Invoice.outstanding), func.count())
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.archived_at.is_(None),
            Invoice.status.in_(UNPAID),
        )
        .group_by(Invoice.currency, "age")
    )
    sums: dict[str, dict[str, Decimal]] = {}
    counts: dict[str, int] = {}
    for currency, age, amount, number in rows:
        sums.setdefault(currency, {})[age] = amount
        counts[currency] = counts.get(currency, 0) + number
    return {currency: _age_bars(by_age) for currency, by_age in sums.items()}, counts


def _age_bars(by_age: dict[str, Decimal]) -> list[Bar]:
    tones = {"not_due": "", "over_90": "risk"}
    return [Bar(label, by_age.get(age, ZERO), tones.get(age, "attention")) for age, label in AGES]


def _collected(today: date) -> dict[str, dict[tuple[int, int], Decimal]]:
    year, month = extract("year", Payment.paid_on), extract("month", Payment.paid_on)
    rows = db.session.execute(
        select(Payment.currency, year, month, func.sum(Payment.amount))
        .where(
            Payment.tenant_id == current_tenant_id(),
            Payment.deleted_at.is_(None),
            Payment.paid_on >= _months(today)[0],
            Payment.paid_on < _month_after(today),
        )
        .group_by(Payment.currency, year, month)
    )
    sums: dict[str, dict[tuple[int, int], Decimal]] = {}
    for currency, in_year, in_month, amount in rows:
        sums.setdefault(currency, {})[(int(in_year), int(in_month))] = amount
    return sums


def _month_bars(by_month: dict[tuple[int, int], Decimal], today: date) -> list[Bar]:
    return [
        Bar(
            MONTHS[first.month - 1],
            by_month.get((first.year, first.month), ZERO),
            current=first.month == today.month,
        )
        for first in _months(today)
    ]


def _months(today: date) -> list[date]:
    """First days of the months shown, oldest first."""
    first, found = today.replace(day=1), []
    for _ in range(MONTHS_SHOWN):
        found.append(first)
        first = (first - timedelta(days=1)).replace(day=1)
    return found[::-1]


def _month_after(today: date) -> date:
    return (today.replace(day=28) + timedelta(days=4)).replace(day=1)
