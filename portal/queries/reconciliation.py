"""Does the month add up? What was posted, waits, is stuck, differs, was reversed, credited or settled there.

Everything is told as of an instant, from timestamps that are written once: the same question about the past
always gets the same answer, whatever happened since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Numeric,
    Select,
    Text,
    bindparam,
    case,
    column,
    func,
    select,
    text,
)

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Happened, Payment, PaymentEvent
from portal.money import ZERO
from portal.queries import paging
from portal.queries.period import Period
from portal.queries.reconciliation_sql import ENTRIES


class State(StrEnum):
    """Where a part of the month stands. The first four add up to what was recorded."""

    POSTED = "posted"
    WAITING = "waiting"
    PARKED = "parked"
    DIFFERS = "differs"
    REVERSED = "reversed"
    CREDITED = "credited"
    SETTLED = "settled"

    @property
    def words(self) -> str:
        told = {self.PARKED: "Stuck", self.CREDITED: "Credits applied", self.SETTLED: "Settled in Autotask"}
        return told.get(self, self.capitalize())

    @property
    def is_money(self) -> bool:
        """Whether it settles invoices beside what was recorded."""
        return self in (self.CREDITED, self.SETTLED)

    @property
    def aside(self) -> str:
        """As the end of a sentence."""
        return "by credits" if self == self.CREDITED else "settled in Autotask itself"

    @property
    def meaning(self) -> str:
        return MEANINGS[self]

    @property
    def badge(self) -> str:
        """The badge that has its tone and icon."""
        looks = {self.POSTED: "confirmed", self.REVERSED: "deleted", self.CREDITED: "credit"}
        return looks.get(self, self.value)


RECORDED = (State.POSTED, State.WAITING, State.PARKED, State.DIFFERS)
BESIDE = (State.CREDITED, State.SETTLED, State.REVERSED)
MEANINGS = {
    State.POSTED: "Recorded here, and Autotask has been told or has nothing to be told yet.",
    State.WAITING: "Recorded here, on the way to Autotask.",
    State.PARKED: "Autotask could not be told. Somebody must look.",
    State.DIFFERS: "Autotask says something else. Somebody must decide.",
    State.CREDITED: "Credits of customers, applied to their invoices here.",
    State.SETTLED: "Marked as paid in Autotask, without a payment here.",
    State.REVERSED: "Payments of this month that were deleted, failed or given back. Not part of the sums above.",
}


@dataclass(frozen=True)
class Sums:
    """One currency's totals by state, and the ledger's own sum of the payments to hold them against."""

    currency: str
    counts: Mapping[State, int]
    amounts: Mapping[State, Decimal]
    ledger: Decimal

    @property
    def recorded(self) -> Decimal:
        return sum((self.amounts[state] for state in RECORDED), ZERO)

    @property
    def recorded_count(self) -> int:
        return sum(self.counts[state] for state in RECORDED)

    @property
    def adds_up(self) -> bool:
        return self.recorded == self.ledger


def sums(period: Period) -> list[Sums]:
    """Totals by state, one Sums a currency."""
    entries = _entries(period)
    rows = db.session.execute(
        select(entries.c.currency, entries.c.state, func.count(), func.sum(entries.c.amount)).group_by(
            entries.c.currency, entries.c.state
        )
    ).all()
    ledger = _ledger(period)
    found = []
    for currency in sorted({*(row[0] for row in rows), *ledger}):
        own = [row for row in rows if row[0] == currency]
        counts = dict.fromkeys(State, 0) | {State(row[1]): row[2] for row in own}
        amounts = dict.fromkeys(State, ZERO) | {State(row[1]): row[3] for row in own}
        found.append(Sums(currency, counts, amounts, ledger.get(currency, ZERO)))
    return found


def page(period: Period, state: State | None, currency: str, args: Mapping[str, str]) -> paging.Page:
    """One page of entries, newest first, of one state and currency where they are given."""
    entries = _entries(period)
    keys = (
        paging.Key(entries.c.on_day, date.fromisoformat),
        paging.Key(entries.c.kind, str),
        paging.Key(entries.c.entry_id),
    )
    statement = select(entries)
    if state is not None:
        statement = statement.where(entries.c.state == state.value)
    if currency:
        statement = statement.where(entries.c.currency == currency)
    return paging.fetch(statement, keys, args)


def every(period: Period) -> Select[Any]:
    """All entries in a fixed order: for the month-end file."""
    entries = _entries(period)
    return select(entries).order_by(entries.c.on_day, entries.c.kind, entries.c.entry_id)


def _entries(period: Period) -> Any:
    columns: Sequence[tuple[str, Any]] = (
        ("kind", Text), ("entry_id", BigInteger), ("state", Text), ("on_day", Date), ("currency", Text),
        ("amount", Numeric(18, 4)), ("customer_id", BigInteger), ("customer", Text),
        ("customer_autotask_id", BigInteger), ("invoice_id", BigInteger), ("invoice", Text),
        ("invoice_autotask_id", BigInteger), ("payment_id", BigInteger), ("method", Text), ("reference", Text),
        ("recorded_at", DateTime(timezone=True)), ("confirmed_at", DateTime(timezone=True)),
        ("reversed_at", DateTime(timezone=True)),
    )  # fmt: skip
    bound = text(ENTRIES).bindparams(
        bindparam("tenant_id", current_tenant_id(), BigInteger),
        first=period.first,
        last=period.last,
        until=str(period.until),
    )
    return bound.columns(*(column(name, kind) for name, kind in columns)).subquery("entries")


def _ledger(period: Period) -> dict[str, Decimal]:
    """The payments of the period that stood at its instant, summed by themselves."""
    until = text("CAST(:until AS timestamptz)").bindparams(until=str(period.until))
    refunded_later = (
        select(func.coalesce(func.sum(PaymentEvent.amount), 0))
        .where(
            PaymentEvent.tenant_id == Payment.tenant_id,
            PaymentEvent.payment_id == Payment.id,
            PaymentEvent.kind != Happened.SETTLED,
            PaymentEvent.ends.is_(False),
            PaymentEvent.recorded_at >= until,
        )
        .scalar_subquery()
    )
    then = Payment.amount + case((Payment.refunded_amount > 0, refunded_later), else_=0)
    rows = db.session.execute(
        select(Payment.currency, func.sum(then))
        .where(
            Payment.tenant_id == current_tenant_id(),
            Payment.paid_on.between(period.first, period.last),
            Payment.recorded_at < until,
            Payment.deleted_at.is_(None) | (Payment.deleted_at >= until),
        )
        .group_by(Payment.currency)
    )
    return {row[0]: row[1] for row in rows}
