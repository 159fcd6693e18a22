"""Payments as pages show them: the list with how far each has come, and one payment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Select, cast, exists, func, not_, select
from sqlalchemy.orm import Session, contains_eager

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.ledger.unconfirmed import needs_a_person
from portal.models import Allocation, Delivery, DeliveryState, Invoice, Payment, PaymentSum
from portal.queries import arrivals, cut, finding, paging, timelines
from portal.queries.text import cleaned, day, number

OF_A_CUSTOMER = 20
KEYS = (paging.Key(Payment.recorded_at, paging.as_instant), paging.Key(Payment.id))


class Show(StrEnum):
    """What the list of payments is narrowed to."""

    CURRENT = "current"
    WAITING = "waiting"
    LATE = "late"
    PARKED = "parked"
    PENDING = "pending"
    DELETED = "deleted"
    ALL = "all"


KEPT = (Show.CURRENT, Show.DELETED, Show.ALL)
OF_A_DELIVERY: dict[Show, tuple[Any, ...]] = {
    Show.WAITING: (Delivery.state.in_(arrivals.ON_THE_WAY), not_(needs_a_person())),
    Show.LATE: (Delivery.state.in_(arrivals.ON_THE_WAY), needs_a_person()),
    Show.PARKED: (Delivery.state == DeliveryState.PARKED,),
}


@dataclass(frozen=True)
class Filter:
    show: Show = Show.CURRENT
    words: str = ""
    first: date | None = None
    last: date | None = None
    customer_id: int | None = None
    invoice_id: int | None = None
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "show", "from", "to", "customer", "invoice")


@dataclass(frozen=True)
class Total:
    currency: str
    payments: int
    amount: Decimal


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; what cannot be read counts as not given."""
    return Filter(
        show=Show(args["show"]) if args.get("show") in set(Show) else Show.CURRENT,
        words=cleaned(args.get("q")),
        first=day(args.get("from")),
        last=day(args.get("to")),
        customer_id=number(args.get("customer")),
        invoice_id=number(args.get("invoice")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """One page of Journeys, the payment recorded last on top."""
    found = paging.fetch(_with_customer(chosen), KEYS, chosen.args)
    return paging.Page(arrivals.journeys(found.rows), found.newer, found.older)


def every(chosen: Filter) -> Select[Any]:
    """All payments of the filter in the same order: for downloads."""
    statement: Select[Any] = _with_customer(chosen)
    return statement.order_by(Payment.recorded_at.desc(), Payment.id.desc())


def with_invoices(session: Session, rows: Sequence[Payment]) -> list[tuple[Payment, list[str]]]:
    """Payments with the numbers of the invoices that they pay."""
    numbers: dict[int, list[str]] = {row.id: [] for row in rows}
    found = session.execute(
        select(Allocation.payment_id, Invoice.number)
        .join(Allocation.invoice)
        .where(Allocation.tenant_id == rows[0].tenant_id, Allocation.payment_id.in_(numbers))
        .order_by(Allocation.id)
    )
    for payment_id, invoice in found:
        numbers[payment_id].append(invoice)
    return [(row, numbers[row.id]) for row in rows]


def _with_customer(chosen: Filter) -> Any:
    statement = _narrowed(select(Payment).join(Payment.customer), chosen)
    return statement.options(contains_eager(Payment.customer))


def totals(chosen: Filter) -> list[Total]:
    """Count and sum of the filter in force, one per currency."""
    if not chosen.words and chosen.customer_id is None and chosen.invoice_id is None and chosen.show in KEPT:
        return _kept(chosen)
    statement = _narrowed(select(Payment.currency, func.count(), func.sum(Payment.amount)), chosen)
    rows = db.session.execute(statement.group_by(Payment.currency).order_by(Payment.currency)).all()
    return [Total(*row) for row in rows]


def _kept(chosen: Filter) -> list[Total]:
    """The same, from the sums that are kept."""
    kept = PaymentSum
    number = func.sum(kept.payments)
    statement = select(kept.currency, cast(number, BigInteger), func.sum(kept.amount))
    statement = statement.where(kept.tenant_id == current_tenant_id())
    if chosen.show != Show.ALL:
        statement = statement.where(kept.deleted == (chosen.show == Show.DELETED))
    if chosen.first:
        statement = statement.where(kept.paid_on >= chosen.first)
    if chosen.last:
        statement = statement.where(kept.paid_on <= chosen.last)
    some = statement.group_by(kept.currency).having(number != 0)
    return [Total(*row) for row in db.session.execute(some.order_by(kept.currency)).all()]


def told_of(payment_ids: Sequence[int]) -> list[arrivals.Journey]:
    """These payments with their timelines, newest first, deleted ones included."""
    return timelines.of_invoice(payment_ids) if payment_ids else []


def ids_of_invoice(invoice_id: int) -> Sequence[int]:
    """All payments of an invoice, deleted ones included."""
    return db.session.scalars(paying(invoice_id)).all()


def paying(invoice_id: int) -> Any:
    """Selects the ids of an invoice's payments, newest first."""
    mine = (Allocation.tenant_id == current_tenant_id(), Allocation.invoice_id == invoice_id)
    return select(Allocation.payment_id).where(*mine).order_by(Allocation.payment_id.desc())


def of_customer(customer_id: int) -> cut.Some:
    """A customer's latest payments as Journeys, and how many there are."""
    mine = scoped(Payment).where(Payment.customer_id == customer_id)
    found = cut.first(mine.order_by(Payment.id.desc()), OF_A_CUSTOMER)
    return cut.Some(arrivals.journeys(found.rows), found.total)


def page_of_parts(journey: arrivals.Journey, args: Mapping[str, str]) -> paging.Page:
    """One page of what a payment pays, in the order in which it was said."""
    mine = (Allocation.tenant_id == current_tenant_id(), Allocation.payment_id == journey.payment.id)
    found = paging.fetch(
        select(Allocation.id).where(*mine), (paging.Key(Allocation.id),), args, ascending=True
    )
    parts = {part.allocation.id: part for part in journey.parts}
    return paging.Page([parts[one] for one in found.rows], found.newer, found.older)


def one(payment: Payment) -> arrivals.Journey:
    """A payment with its timeline."""
    return timelines.told([payment])[0]


def _narrowed(statement: Any, chosen: Filter) -> Any:
    statement = statement.where(Payment.tenant_id == current_tenant_id())
    if chosen.show == Show.DELETED:
        statement = statement.where(Payment.deleted_at.is_not(None))
    elif chosen.show == Show.CURRENT:
        statement = statement.where(Payment.deleted_at.is_(None))
    elif chosen.show == Show.PENDING:
        statement = statement.where(Payment.pending, Payment.deleted_at.is_(None))
    elif chosen.show in OF_A_DELIVERY:
        statement = statement.where(_has_a_delivery(*OF_A_DELIVERY[chosen.show]))
    if chosen.first:
        statement = statement.where(Payment.paid_on >= chosen.first)
    if chosen.last:
        statement = statement.where(Payment.paid_on <= chosen.last)
    if chosen.customer_id is not None:
        statement = statement.where(Payment.customer_id == chosen.customer_id)
    if chosen.invoice_id is not None:
        statement = statement.where(Payment.id.in_(paying(chosen.invoice_id)))
    if chosen.words:
        statement = statement.where(finding.payment(chosen.words))
    return statement


def _has_a_delivery(*wanted: Any) -> Any:
    return exists().where(
        Allocation.tenant_id == Payment.tenant_id,
        Allocation.payment_id == Payment.id,
        Delivery.tenant_id == Allocation.tenant_id,
        Delivery.invoice_id == Allocation.invoice_id,
        *wanted,
    )
