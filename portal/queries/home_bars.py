"""The bars of the home page: what is due by age, and what was collected by month."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import BigInteger, case, cast, extract, func, select

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.formatters import MONTHS
from portal.models import (
    InvoiceSum,
    PaymentSum,
)
from portal.money import ZERO
from portal.queries.invoices import UNPAID

AGES = (("not_due", "Not due yet"), ("to_30", "1 to 30 days"), ("to_60", "31 to 60 days"),
        ("to_90", "61 to 90 days"), ("over_90", "Over 90 days"))  # fmt: skip
MONTHS_SHOWN = 6


@dataclass(frozen=True)
class Bar:
    label: str
    amount: Decimal
    tone: str = ""
    url: str = ""
    current: bool = False


def ages(today: date) -> tuple[dict[str, list[Bar]], dict[str, int]]:
    """Bars of what is unpaid, and how many invoices that is, by currency."""
    late = func.coalesce(today - InvoiceSum.due_on, 0)
    group = case((late <= 0, "not_due"), (late <= 30, "to_30"), (late <= 60, "to_60"), (late <= 90, "to_90"),
                 else_="over_90")  # fmt: skip
    rows = db.session.execute(
        select(
            InvoiceSum.currency,
            group.label("age"),
            func.sum(InvoiceSum.outstanding),
            cast(func.sum(InvoiceSum.invoices), BigInteger),
        )
        .where(
            InvoiceSum.tenant_id == current_tenant_id(),
            InvoiceSum.archived.is_(False),
            InvoiceSum.status.in_(UNPAID),
        )
        .group_by(InvoiceSum.currency, "age")
        .having(func.sum(InvoiceSum.invoices) != 0)
    )
    sums: dict[str, dict[str, Decimal]] = {}
    counts: dict[str, int] = {}
    for currency, age, amount, number in rows:
        sums.setdefault(currency, {})[age] = amount
        counts[currency] = counts.get(currency, 0) + number
    return {currency: age_bars(by_age) for currency, by_age in sums.items()}, counts


def age_bars(by_age: dict[str, Decimal]) -> list[Bar]:
    tones = {"not_due": "", "over_90": "risk"}
    return [Bar(label, by_age.get(age, ZERO), tones.get(age, "attention")) for age, label in AGES]


def collected(today: date) -> dict[str, dict[tuple[int, int], Decimal]]:
    year, month = extract("year", PaymentSum.paid_on), extract("month", PaymentSum.paid_on)
    rows = db.session.execute(
        select(PaymentSum.currency, year, month, func.sum(PaymentSum.amount))
        .where(
            PaymentSum.tenant_id == current_tenant_id(),
            PaymentSum.deleted.is_(False),
            PaymentSum.paid_on >= months(today)[0],
            PaymentSum.paid_on < _month_after(today),
        )
        .group_by(PaymentSum.currency, year, month)
    )
    sums: dict[str, dict[tuple[int, int], Decimal]] = {}
    for currency, in_year, in_month, amount in rows:
        sums.setdefault(currency, {})[(int(in_year), int(in_month))] = amount
    return sums


def month_bars(by_month: dict[tuple[int, int], Decimal], today: date) -> list[Bar]:
    return [
        Bar(
            MONTHS[first.month - 1],
            by_month.get((first.year, first.month), ZERO),
            current=first.month == today.month,
        )
        for first in months(today)
    ]


def months(today: date) -> list[date]:
    """First days of the months shown, oldest first."""
    first, found = today.replace(day=1), []
    for _ in range(MONTHS_SHOWN):
        found.append(first)
        first = (first - timedelta(days=1)).replace(day=1)
    return found[::-1]


def _month_after(today: date) -> date:
    return (today.replace(day=28) + timedelta(days=4)).replace(day=1)
