"""Customers as pages show them: who owes what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Select, case, cast, func, literal, select, union_all

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import IS_UNPAID, Customer, CustomerSum, Invoice, InvoiceStatus, InvoiceSum
from portal.queries import finding, invoices, paging
from portal.queries.text import cleaned

NAME_KEYS = (paging.Key(Customer.name, str), paging.Key(Customer.id))


class Order(StrEnum):
    OWED = "owed"
    NAME = "name"


class Show(StrEnum):
    CURRENT = "current"
    OWING = "owing"
    OVERDUE = "overdue"
    ARCHIVED = "archived"
    EVERY = "every"


@dataclass(frozen=True)
class Filter:
    today: date
    show: Show = Show.CURRENT
    order: Order = Order.OWED
    words: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "show", "order")

    @property
    def is_by_owed(self) -> bool:
        return self.order == Order.OWED


@dataclass(frozen=True)
class Balance:
    """What one customer owes in its own currency: unpaid invoices, the overdue part, credit left."""

    customer: Customer
    outstanding: Decimal
    overdue: Decimal
    invoices: int
    credit: Decimal

    @property
    def credit_left(self) -> Decimal:
        """What is left of credits, as a positive amount."""
        return -self.credit

    @property
    def currency(self) -> str:
        return self.customer.currency


@dataclass(frozen=True)
class Owed(invoices.Total):
    """What one customer owes in one currency; `unpaid` of its invoices are no credits."""

    unpaid: int = 0


def filter_from(args: Mapping[str, str], today: date) -> Filter:
    """The filter of an address; what cannot be read counts as not given."""
    return Filter(
        today=today,
        show=Show(args["show"]) if args.get("show") in set(Show) else Show.CURRENT,
        order=Order(args["order"]) if args.get("order") in set(Order) else Order.OWED,
        words=cleaned(args.get("q")),
        args=args,
    )


def page(chosen: Filter, currencies: Sequence[str] = ()) -> paging.Page:
    """One page of Balances: by name, or who owes most first, a currency after the other as given."""
    statement, columns = _with_balances(chosen)
    if chosen.order == Order.NAME:
        found = paging.fetch(statement, NAME_KEYS, chosen.args, ascending=True)
    else:
        outstanding = columns[0]
        rank = _rank(outstanding, currencies)
        keys = (paging.Key(rank), paging.Key(outstanding, Decimal), paging.Key(Customer.id))
        statement = statement.add_columns(rank)
        found = paging.fetch(statement, keys, chosen.args)
    return paging.Page(
        [Balance(row.Customer, *(row._mapping[column.name] for column in columns)) for row in found.rows],
        found.newer,
        found.older,
    )


def every(chosen: Filter) -> Select[Any]:
    """All customers of the filter by name, with `outstanding`, `overdue`, `invoices` and `credit`: for downloads."""
    statement: Select[Any] = _with_balances(chosen)[0]
    return statement.order_by(Customer.name, Customer.id)


def _with_balances(chosen: Filter) -> tuple[Any, Sequence[Any]]:
    """Customers of the filter, and the columns beside each in the order in which a Balance has them."""
    owed = _owed()
    late = _late(chosen.today).with_only_columns(func.coalesce(func.sum(Invoice.outstanding), 0))
    amounts = {
        name: func.coalesce(owed.c[name], 0).label(name) for name in ("outstanding", "invoices", "credit")
    }
    columns = (
        amounts["outstanding"],
        late.scalar_subquery().label("overdue"),
        amounts["invoices"],
        amounts["credit"],
    )
    return _narrowed(select(Customer, *columns), owed, chosen), columns


def _rank(outstanding: Any, currencies: Sequence[str]) -> Any:
    """Highest in the first currency; amounts of two currencies are never compared. Nothing is owed at zero."""
    order = dict(zip(currencies, range(len(currencies) + 1, 1, -1), strict=True))
    place = case(order, value=Customer.currency, else_=1) if order else literal(1)
    return case((outstanding > 0, place), else_=0).label("rank")


def count(chosen: Filter) -> int:
    """How many customers the filter holds."""
    owed = _owed()
    return db.session.scalar(_narrowed(select(func.count()).select_from(Customer), owed, chosen)) or 0


def balances_of(customer_id: int, today: date) -> list[Owed]:
    """What one customer owes, per currency; voided and archived invoices do not count."""
    rows = db.session.execute(
        select(Invoice.currency, *invoices.sums(today), func.count().filter(IS_UNPAID))
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.customer_id == customer_id,
            Invoice.archived_at.is_(None),
            IS_UNPAID | (Invoice.status == InvoiceStatus.CREDIT),
        )
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    ).all()
    return [Owed(*row) for row in rows]


def paying(words: str, args: Mapping[str, str]) -> paging.Page:
    """Customers to choose from when recording a payment: a page of those with unpaid invoices, by name."""
    owing = (
        select(Invoice.id)
        .where(
            Invoice.tenant_id == Customer.tenant_id,
            Invoice.customer_id == Customer.id,
            IS_UNPAID,
            Invoice.archived_at.is_(None),
            Invoice.missing_since.is_(None),
        )
        .exists()
    )
    statement = scoped(Customer).where(owing)
    if words:
        statement = statement.where(finding.customer(words))
    return paging.fetch(statement, NAME_KEYS, args, ascending=True)


def _owed() -> Any:
    """What is kept by customer and currency, over invoices that are not archived."""
    return (
        select(
            CustomerSum.customer_id,
            CustomerSum.currency,
            func.sum(CustomerSum.outstanding).label("outstanding"),
            cast(func.sum(CustomerSum.invoices), BigInteger).label("invoices"),
            func.sum(CustomerSum.credit).label("credit"),
        )
        .where(CustomerSum.tenant_id == current_tenant_id())
        .group_by(CustomerSum.customer_id, CustomerSum.currency)
        .subquery("owed")
    )


def _late(today: date) -> Any:
    """The overdue invoices of one customer in its own currency."""
    return select(Invoice.id).where(
        Invoice.tenant_id == Customer.tenant_id,
        Invoice.customer_id == Customer.id,
        Invoice.currency == Customer.currency,
        Invoice.archived_at.is_(None),
        invoices.is_overdue(today),
    )


def _narrowed(statement: Any, owed: Any, chosen: Filter) -> Any:
    statement = statement.outerjoin(
        owed, (owed.c.customer_id == Customer.id) & (owed.c.currency == Customer.currency)
    ).where(Customer.tenant_id == current_tenant_id())
    archived = Customer.archived_at.is_not(None)
    if chosen.show != Show.EVERY:
        statement = statement.where(archived if chosen.show == Show.ARCHIVED else ~archived)
    if chosen.show == Show.OWING:
        statement = statement.where(owed.c.outstanding > 0)
    if chosen.show == Show.OVERDUE:
        statement = statement.where(_late(chosen.today).exists())
    if chosen.words:
        statement = statement.where(finding.customer(chosen.words))
    return statement


def totals(chosen: Filter) -> list[invoices.Total]:
    """What the customers of the filter owe together, one Total per currency."""
    owed = _owed()
    ids = _narrowed(select(Customer.id), owed, chosen).cte("chosen")
    late = _overdue(chosen, ids).subquery("late")
    rows = db.session.execute(
        select(
            owed.c.currency,
            cast(func.sum(owed.c.invoices), BigInteger),
            func.sum(owed.c.outstanding),
            func.coalesce(func.max(late.c.amount), 0),
            func.coalesce(func.max(late.c.number), 0),
            func.sum(owed.c.credit),
        )
        .outerjoin(late, late.c.currency == owed.c.currency)
        .where(owed.c.customer_id.in_(select(ids.c.id)))
        .group_by(owed.c.currency)
        .having((func.sum(owed.c.invoices) != 0) | (func.sum(owed.c.credit) != 0))
        .order_by(owed.c.currency)
    ).all()
    return [invoices.Total(*row) for row in rows]


def _overdue(chosen: Filter, ids: Any) -> Any:
    """By currency, `amount` and `number` of the overdue invoices of these customers."""
    rows = (
        select(Invoice.currency, func.sum(Invoice.outstanding).label("amount"), func.count().label("number"))
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.archived_at.is_(None),
            invoices.is_overdue(chosen.today),
        )
        .group_by(Invoice.currency)
    )
    if chosen.words or chosen.show not in (Show.CURRENT, Show.EVERY):
        return rows.where(Invoice.customer_id.in_(select(ids.c.id)))
    everybodys = (
        select(InvoiceSum.currency, InvoiceSum.outstanding, InvoiceSum.invoices)
        .where(
            InvoiceSum.tenant_id == current_tenant_id(),
            InvoiceSum.archived.is_(False),
            InvoiceSum.status.in_(invoices.UNPAID),
            InvoiceSum.due_on < chosen.today,
        )
        .subquery()
    )
    hidden = select(Customer.id).where(
        Customer.tenant_id == current_tenant_id(), Customer.archived_at.is_not(None)
    )
    theirs = rows.where(Invoice.customer_id.in_(hidden)).subquery()
    parts = [select(everybodys)]
    if chosen.show == Show.CURRENT:
        parts.append(select(theirs.c.currency, -theirs.c.amount, -theirs.c.number))
    both = union_all(*parts).subquery("parts")
    amount, number = func.sum(both.c.outstanding), cast(func.sum(both.c.invoices), BigInteger)
    return select(both.c.currency, amount.label("amount"), number.label("number")).group_by(both.c.currency)
