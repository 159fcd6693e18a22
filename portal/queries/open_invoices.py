"""A customer's open invoices: all of them as sums, and as many rows of one currency as a form holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import func, select

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.forms.allocation import OF_ROW
from portal.forms.open_rows import Row, Table
from portal.models import IS_UNPAID, MOST_INVOICES, Allocation, CreditApplication, Invoice, Payment
from portal.money import ZERO
from portal.queries import cut, finding

MOST = 100
MOST_FOUND = 25
MISSING_NAMED = 5
OLDEST_FIRST = (Invoice.due_on.asc().nulls_last(), Invoice.id)
NOTHING = cut.Some((), 0)
_PAYABLE = Invoice.missing_since.is_(None)


@dataclass(frozen=True)
class Owing:
    """Of one currency: how many invoices can be paid, what they owe, and how many are no longer in Autotask."""

    currency: str
    invoices: int
    amount: Decimal
    missing: int


def owing(customer_id: int) -> list[Owing]:
    """One for each currency in which something is owed."""
    rows = db.session.execute(
        select(
            Invoice.currency,
            func.count().filter(_PAYABLE),
            func.coalesce(func.sum(Invoice.outstanding).filter(_PAYABLE), 0),
            func.count().filter(~_PAYABLE),
        )
        .where(*_of(customer_id))
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    )
    return [Owing(*row) for row in rows]


def missing(customer_id: int, currency: str) -> cut.Some:
    """The first of those that take no payment because Autotask has them no longer."""
    gone = scoped(Invoice).where(*_of(customer_id), Invoice.currency == currency, ~_PAYABLE)
    return cut.first(gone.order_by(*OLDEST_FIRST), MISSING_NAMED)


def found(customer_id: int, currency: str, words: str) -> cut.Some:
    """Those that typed words find, oldest first."""
    if not words:
        return NOTHING
    return cut.first(
        _payable(customer_id, currency).where(finding.invoice(words)).order_by(*OLDEST_FIRST), MOST_FOUND
    )


def table(customer_id: int, mine: Owing, sent: Mapping[str, str], on_top: Sequence[int]) -> Table:
    """Rows for those `on_top` (ids), those that a form sent, and the oldest until there are enough.

    What was typed for an invoice always has its row.
    """
    typed = {int(name[4:]): text.strip() for name, text in sent.items() if OF_ROW.fullmatch(name)}
    wanted = _in_their_order(on_top, typed)
    of_currency = _payable(customer_id, mine.currency)
    known = {row.id: row for row in db.session.scalars(of_currency.where(Invoice.id.in_(wanted)))}
    chosen = [known[invoice_id] for invoice_id in wanted if invoice_id in known]
    if len(chosen) < min(MOST, mine.invoices):
        others = of_currency.where(Invoice.id.not_in(known)).order_by(*OLDEST_FIRST)
        chosen += cut.first(others, MOST - len(chosen))

    def next_ones() -> Sequence[Row]:
        shown = {row.id for row in chosen}
        rest = of_currency.where(Invoice.id.not_in(shown)).order_by(*OLDEST_FIRST)
        return [Row(row) for row in cut.first(rest, MOST_INVOICES)]

    return Table(rows_for(chosen), mine.invoices, mine.amount, next_ones)


def _in_their_order(on_top: Sequence[int], typed: Mapping[int, str]) -> list[int]:
    needed = {*on_top, *(invoice_id for invoice_id, text in typed.items() if text)}
    blank = [invoice_id for invoice_id in typed if invoice_id not in needed]
    kept = needed | set(islice(blank, max(MOST - len(needed), 0)))
    return [invoice_id for invoice_id in dict.fromkeys([*on_top, *typed]) if invoice_id in kept]


def rows_for(open_invoices: Sequence[Invoice]) -> list[Row]:
    latest = _latest_paid_on([invoice.id for invoice in open_invoices])
    return [Row(invoice, latest.get(invoice.id)) for invoice in open_invoices]


def nothing_owed(currency: str) -> Owing:
    return Owing(currency, 0, ZERO, 0)


def _of(customer_id: int) -> list[Any]:
    mine = Invoice.tenant_id == current_tenant_id()
    return [mine, Invoice.customer_id == customer_id, IS_UNPAID, Invoice.archived_at.is_(None)]


def _payable(customer_id: int, currency: str) -> Any:
    return scoped(Invoice).where(*_of(customer_id), _PAYABLE, Invoice.currency == currency)


def _latest_paid_on(invoice_ids: Sequence[int]) -> dict[int, date]:
    """The last day money came for each invoice so far: the paid date can only move forward from there."""
    tenant_id = current_tenant_id()
    paid = (
        select(Allocation.invoice_id, func.max(Payment.paid_on))
        .join(Payment, (Payment.tenant_id == Allocation.tenant_id) & (Payment.id == Allocation.payment_id))
        .where(Allocation.tenant_id == tenant_id, Allocation.invoice_id.in_(invoice_ids))
        .where(Payment.deleted_at.is_(None))
        .group_by(Allocation.invoice_id)
    )
    credited = (
        select(CreditApplication.invoice_id, func.max(CreditApplication.applied_on))
        .where(CreditApplication.tenant_id == tenant_id, CreditApplication.invoice_id.in_(invoice_ids))
        .where(CreditApplication.removed_at.is_(None))
        .group_by(CreditApplication.invoice_id)
    )
    latest: dict[int, date] = {}
    for invoice_id, day in [*db.session.execute(paid), *db.session.execute(credited)]:
        latest[invoice_id] = max(day, latest.get(invoice_id, day))
    return latest
