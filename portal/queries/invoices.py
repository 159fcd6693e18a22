"""Invoices as pages show them: the list, its totals, and all that belongs to one invoice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Select, and_, cast, func, literal, select
from sqlalchemy.orm import contains_eager

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import IS_UNPAID, Agreement, Invoice, InvoiceStatus, InvoiceSum
from portal.queries import finding, paging
from portal.queries.text import cleaned, number

UNPAID = (InvoiceStatus.OPEN, InvoiceStatus.PART_PAID)
KEYS = (paging.Key(Invoice.issued_on, date.fromisoformat), paging.Key(Invoice.id))


class Show(StrEnum):
    """What a list of invoices is narrowed to."""

    ALL = "all"
    UNPAID = "unpaid"
    OVERDUE = "overdue"
    PART_PAID = "part_paid"
    PAID = "paid"
    CREDIT = "credit"
    VOIDED = "voided"
    ARCHIVED = "archived"
    EVERY = "every"

    @property
    def heading(self) -> str:
        return {self.ALL: "All invoices", self.CREDIT: "Credits"}.get(
            self, self.capitalize().replace("_", " ")
        )

    @property
    def adds_up(self) -> bool:
        """Whether what its invoices have outstanding is one sum: all of them are owed."""
        return self in (self.UNPAID, self.OVERDUE, self.PART_PAID)


# When an invoice got one of these marks: it may be voided as well, which its agreement tells first.
MARKS = {
    Agreement.OUTSIDE_FILTERS: Invoice.outside_filters_at,
    Agreement.MISSING: Invoice.missing_since,
}
# Those whose name is that of a status.
OF_STATUS = (Show.PART_PAID, Show.PAID, Show.CREDIT, Show.VOIDED)


@dataclass(frozen=True)
class Filter:
    """The filter in force; `today` is the partner's own day."""

    today: date
    show: Show = Show.UNPAID
    agreement: Agreement | None = None
    words: str = ""
    customer_id: int | None = None
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "show", "agreement", "customer")

    @property
    def is_narrowed(self) -> bool:
        """Whether it may hide something that is owed, or shows something else."""
        return bool(self.words or self.agreement) or self.show != Show.UNPAID


@dataclass(frozen=True)
class Total:
    """How many invoices of one currency, and what is owed, overdue and left of credits."""

    currency: str
    invoices: int
    outstanding: Decimal
    overdue: Decimal
    overdue_invoices: int
    credit: Decimal

    @property
    def credit_left(self) -> Decimal:
        """What is left of credits, as a positive amount."""
        return -self.credit


def filter_from(args: Mapping[str, str], today: date) -> Filter:
    """The filter of an address; unknown words count as not given. A search looks at all states by default."""
    words = cleaned(args.get("q"))
    usual = Show.ALL if words else Show.UNPAID
    agreement = args.get("agreement", "")
    return Filter(
        today=today,
        show=Show(args["show"]) if args.get("show") in set(Show) else usual,
        agreement=Agreement(agreement) if agreement in set(Agreement) else None,
        words=words,
        customer_id=number(args.get("customer")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """One page of invoices with their customers, newest first."""
    statement = _narrowed(select(Invoice).join(Invoice.customer), chosen).options(
        contains_eager(Invoice.customer)
    )
    return paging.fetch(statement, KEYS, chosen.args)


def every(chosen: Filter) -> Select[Any]:
    """All invoices of the filter with their customers, newest first: for downloads."""
    statement: Select[Any] = _narrowed(select(Invoice).join(Invoice.customer), chosen).options(
        contains_eager(Invoice.customer)
    )
    return statement.order_by(Invoice.issued_on.desc(), Invoice.id.desc())


def totals(chosen: Filter) -> list[Total]:
    """The sums of the filter in force, one per currency."""
    if not chosen.words and chosen.customer_id is None and chosen.agreement not in MARKS:
        return _kept(chosen)
    statement = _narrowed(select(Invoice.currency, *sums(chosen.today)), chosen)
    rows = db.session.execute(statement.group_by(Invoice.currency).order_by(Invoice.currency)).all()
    return [Total(*row) for row in rows]


def _kept(chosen: Filter) -> list[Total]:
    """The same, from the sums that are kept."""
    kept = InvoiceSum
    unpaid, late = kept.status.in_(UNPAID), kept.status.in_(UNPAID) & (kept.due_on < chosen.today)
    statement = select(
        kept.currency,
        cast(func.sum(kept.invoices), BigInteger),
        func.coalesce(func.sum(kept.outstanding).filter(unpaid), 0),
        func.coalesce(func.sum(kept.outstanding).filter(late), 0),
        cast(func.coalesce(func.sum(kept.invoices).filter(late), 0), BigInteger),
        func.coalesce(func.sum(kept.outstanding).filter(kept.status == InvoiceStatus.CREDIT), 0),
    ).where(kept.tenant_id == current_tenant_id())
    if chosen.show != Show.EVERY:
        statement = statement.where(kept.archived == (chosen.show == Show.ARCHIVED))
    if chosen.show in OF_STATUS:
        statement = statement.where(kept.status == chosen.show.value)
    elif chosen.show.adds_up:
        statement = statement.where(late if chosen.show == Show.OVERDUE else unpaid)
    if chosen.agreement is not None:
        statement = statement.where(kept.agreement == chosen.agreement)
    some = statement.group_by(kept.currency).having(func.sum(kept.invoices) != 0)
    return [Total(*row) for row in db.session.execute(some.order_by(kept.currency)).all()]


def sums(today: date) -> list[Any]:
    """Columns in the order of Total, after the currency."""
    unpaid = IS_UNPAID
    late = is_overdue(today)
    return [
        func.count(),
        func.coalesce(func.sum(Invoice.outstanding).filter(unpaid), 0),
        func.coalesce(func.sum(Invoice.outstanding).filter(late), 0),
        func.count().filter(late),
        func.coalesce(func.sum(Invoice.outstanding).filter(Invoice.status == InvoiceStatus.CREDIT), 0),
    ]


def said_there(agreement: Agreement) -> Any:
    """Invoices of which this is true. What left the filters or Autotask did so whatever else is to be said of it."""
    mark = MARKS.get(agreement)
    if mark is None:
        return Invoice.agreement == literal(agreement.value, literal_execute=True)
    return and_(Invoice.agreement != literal(Agreement.AGREES.value, literal_execute=True), mark.is_not(None))


def is_overdue(today: date) -> Any:
    """Unpaid and due before today in the partner's zone."""
    return and_(IS_UNPAID, Invoice.due_on < today)


def _narrowed(statement: Any, chosen: Filter) -> Any:
    statement = statement.where(Invoice.tenant_id == current_tenant_id())
    statement = statement.where(*_shown(chosen))
    if chosen.agreement is not None:
        statement = statement.where(said_there(chosen.agreement))
    if chosen.customer_id is not None:
        statement = statement.where(Invoice.customer_id == chosen.customer_id)
    if chosen.words:
        statement = statement.where(finding.invoice(chosen.words))
    return statement


def _shown(chosen: Filter) -> list[Any]:
    if chosen.show == Show.EVERY:
        return []
    if chosen.show == Show.ARCHIVED:
        return [Invoice.archived_at.is_not(None)]
    here = Invoice.archived_at.is_(None)
    if chosen.show == Show.ALL:
        return [here]
    if chosen.show == Show.UNPAID:
        return [here, IS_UNPAID]
    if chosen.show == Show.OVERDUE:
        return [here, is_overdue(chosen.today)]
    return [here, Invoice.status == chosen.show.value]
