"""Payments as pages show them: the list with how far each has come, and one payment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import contains_eager

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Allocation, Delivery, DeliveryState, Payment
from portal.queries import arrivals, finding, paging, timelines
from portal.queries.text import cleaned

KEYS = (paging.Key(Payment.recorded_at, paging.as_instant), paging.Key(Payment.id))


class Show(StrEnum):
    """What the list of payments is narrowed to."""

    CURRENT = "current"
    WAITING = "waiting"
    PARKED = "parked"
    DELETED = "deleted"
    ALL = "all"


@dataclass(frozen=True)
class Filter:
    show: Show = Show.CURRENT
    words: str = ""
    first: date | None = None
    last: date | None = None
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "show", "from", "to")


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
        first=_day(args.get("from")),
        last=_day(args.get("to")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """One page of Journeys, the payment recorded last on top."""
    statement = _narrowed(select(Payment), chosen).options(contains_eager(Payment.customer))
    found = paging.fetch(statement, KEYS, chosen.args)
    return paging.Page(arrivals.journeys(found.rows), found.newer, found.older)


def totals(chosen: Filter) -> list[Total]:
    """Count and sum of the filter in force, one per currency."""
    statement = _narrowed(select(Payment.currency, func.count(), func.sum(Payment.amount)), chosen)
    rows = db.session.execute(statement.group_by(Payment.currency).order_by(Payment.currency)).all()
    return [Total(*row) for row in rows]


def of_invoice(invoice_id: int) -> list[arrivals.Journey]:
    """All payments of an invoice with their timelines, newest first, deleted ones included."""
    paying = select(Allocation.payment_id).where(
        Allocation.tenant_id == current_tenant_id(), Allocation.invoice_id == invoice_id
    )
    rows = db.session.scalars(scoped(Payment).where(Payment.id.in_(paying)).order_by(Payment.id.desc())).all()
    return timelines.told(rows)


def of_customer(customer_id: int, most: int = 20) -> list[arrivals.Journey]:
    """A customer's latest payments."""
    rows = db.session.scalars(
        scoped(Payment).where(Payment.customer_id == customer_id).order_by(Payment.id.desc()).limit(most)
    ).all()
    return arrivals.journeys(rows)


def one(payment: Payment) -> arrivals.Journey:
    """A payment with its timeline."""
    return timelines.told([payment])[0]


def _narrowed(statement: Any, chosen: Filter) -> Any:
    statement = statement.join(Payment.customer).where(Payment.tenant_id == current_tenant_id())
    if chosen.show == Show.DELETED:
        statement = statement.where(Payment.deleted_at.is_not(None))
    elif chosen.show == Show.CURRENT:
        statement = statement.where(Payment.deleted_at.is_(None))
    elif chosen.show in (Show.WAITING, Show.PARKED):
        states = arrivals.ON_THE_WAY if chosen.show == Show.WAITING else (DeliveryState.PARKED,)
        statement = statement.where(_delivery_in(states))
    if chosen.first:
        statement = statement.where(Payment.paid_on >= chosen.first)
    if chosen.last:
        statement = statement.where(Payment.paid_on <= chosen.last)
    if chosen.words:
        statement = statement.where(finding.payment(chosen.words))
    return statement


def _delivery_in(states: tuple[DeliveryState, ...]) -> Any:
    return exists().where(
        Allocation.tenant_id == Payment.tenant_id,
        Allocation.payment_id == Payment.id,
        Delivery.tenant_id == Allocation.tenant_id,
        Delivery.invoice_id == Allocation.invoice_id,
        Delivery.state.in_(states),
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
