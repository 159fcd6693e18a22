"""What one invoice has many of: its lines, its payments, and the credits on either side of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import CreditApplication, Invoice, InvoiceLine
from portal.queries import arrivals, cut, paging, payments

LINES, PAYMENTS, CREDITS = 100, 50, 50
_PLACE = func.coalesce(InvoiceLine.sort_order, 2**31 - 1).label("place")
_DAY = func.coalesce(InvoiceLine.item_on, date.max).label("day")
LINE_KEYS = (paging.Key(_PLACE), paging.Key(_DAY, date.fromisoformat), paging.Key(InvoiceLine.id))
CREDIT_KEYS = (paging.Key(CreditApplication.id),)


@dataclass(frozen=True)
class Credit:
    """A credit application with the number of the invoice on its other side."""

    application: CreditApplication
    other: Invoice


@dataclass(frozen=True)
class Billed:
    """What a line adds to an invoice."""

    price_raw: Decimal
    tax_raw: Decimal
    non_billable: bool


def first_lines(invoice_id: int) -> cut.Some:
    found = cut.first(_lines(invoice_id).order_by(_PLACE, _DAY, InvoiceLine.id), LINES)
    return cut.Some([row[0] for row in found], found.total)


def page_of_lines(invoice_id: int, args: Mapping[str, str]) -> paging.Page:
    found = paging.fetch(_lines(invoice_id), LINE_KEYS, args, ascending=True)
    return paging.Page([row[0] for row in found.rows], found.newer, found.older)


def billed(invoice_id: int) -> Sequence[Billed]:
    """What each line of it adds, without its words."""
    columns = (InvoiceLine.price_raw, InvoiceLine.tax_raw, InvoiceLine.non_billable)
    mine = (InvoiceLine.tenant_id == current_tenant_id(), InvoiceLine.invoice_id == invoice_id)
    return [Billed(*row) for row in db.session.execute(select(*columns).where(*mine))]


def first_journeys(invoice_id: int) -> cut.Some:
    """The payments recorded last, deleted ones included, with their timelines."""
    found = cut.first(payments.paying(invoice_id), PAYMENTS)
    return cut.Some(payments.told_of(found.rows), found.total)


def first_credits(invoice_id: int) -> cut.Some:
    found = cut.first(_credits(invoice_id).order_by(CreditApplication.id.desc()), CREDITS)
    return cut.Some([Credit(*row) for row in found], found.total)


def page_of_credits(invoice_id: int, args: Mapping[str, str]) -> paging.Page:
    found = paging.fetch(_credits(invoice_id), CREDIT_KEYS, args)
    return paging.Page([Credit(*row) for row in found.rows], found.newer, found.older)


def latest(journeys: cut.Some) -> arrivals.Journey | None:
    """The payment that was recorded or deleted last."""
    return max(journeys, key=lambda journey: journey.touched_at, default=None)


def _lines(invoice_id: int) -> Any:
    return scoped(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).add_columns(_PLACE, _DAY)


def _credits(invoice_id: int) -> Any:
    other = aliased(Invoice)
    is_credit = CreditApplication.credit_invoice_id == invoice_id
    is_paid_by_it = CreditApplication.invoice_id == invoice_id
    beside = or_(
        is_credit & (other.id == CreditApplication.invoice_id),
        is_paid_by_it & (other.id == CreditApplication.credit_invoice_id),
    )
    return (
        select(CreditApplication, other)
        .join(other, (other.tenant_id == CreditApplication.tenant_id) & beside)
        .where(CreditApplication.tenant_id == current_tenant_id(), or_(is_credit, is_paid_by_it))
    )
