"""A customer's statement: what is open, or a period from its opening to its closing balance, per currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Date, Integer, Numeric, Text, bindparam, column, func, select, text

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.queries import paging
from portal.queries.statement_period import Span
from portal.queries.statement_rows import Entry, Kind, Open, OpenSums, PeriodSums
from portal.queries.statement_sql import ENTRIES, OPEN

AMOUNT = Numeric(24, 4)
Sums = Sequence[PeriodSums] | Sequence[OpenSums]


@dataclass(frozen=True)
class Statement:
    """Of one customer: what is open on the day (`span` None), or a period; in the partner's zone."""

    customer_id: int
    span: Span | None
    today: date
    zone: str

    def sums(self) -> Sums:
        """One for each currency in which there is anything to tell."""
        if self.span is None:
            return open_sums(self.customer_id, self.today)
        return sums(self.customer_id, self.span, self.zone)

    def page(self, args: Mapping[str, str], size: int = paging.SIZE) -> paging.Page:
        """One page of lines, oldest first, a currency after the other."""
        if self.span is None:
            return open_page(self.customer_id, self.today, args, size)
        return page(self.customer_id, self.span, self.zone, args, size)

    def every(self) -> Sequence[Entry] | Sequence[Open]:
        """All lines in the same order."""
        if self.span is None:
            return open_every(self.customer_id, self.today)
        return every(self.customer_id, self.span, self.zone)

    def is_place(self, cursor: str) -> bool:
        """Whether a cursor of its pages can be read."""
        keys = (
            _open_told(self.customer_id)[1]
            if self.span is None
            else _told(self.customer_id, self.span, self.zone)[1]
        )
        return paging.is_place(cursor, keys)


def sums(customer_id: int, span: Span, zone: str) -> list[PeriodSums]:
    """One PeriodSums for each currency that has a balance or an entry in the span."""
    e = _entries(customer_id, zone)
    inside = e.c.on_day >= span.first
    opening = func.coalesce(func.sum(e.c.amount).filter(e.c.on_day < span.first), 0)
    moved = [func.coalesce(func.sum(e.c.amount).filter(inside, e.c.kind == kind), 0) for kind in Kind]
    entries = func.count().filter(inside)
    rows = db.session.execute(
        select(e.c.currency, opening, func.sum(e.c.amount), entries, *moved)
        .where(e.c.on_day <= span.last)
        .group_by(e.c.currency)
        .having((opening != 0) | (entries > 0))
        .order_by(e.c.currency)
    ).all()
    return [PeriodSums(row[0], row[1], dict(zip(Kind, row[4:], strict=True)), row[2], row[3]) for row in rows]


def page(customer_id: int, span: Span, zone: str, args: Mapping[str, str], size: int) -> paging.Page:
    """One page of Entries, oldest first, a currency after the other, each with the balance after it."""
    told, keys = _told(customer_id, span, zone)
    found = paging.fetch(
        select(told).where(told.c.on_day >= span.first), keys, args, ascending=True, size=size
    )
    return paging.Page([_entry(row) for row in found.rows], found.newer, found.older)


def every(customer_id: int, span: Span, zone: str) -> list[Entry]:
    """All Entries in the same order."""
    told, keys = _told(customer_id, span, zone)
    rows = db.session.execute(
        select(told).where(told.c.on_day >= span.first).order_by(*(key.column for key in keys))
    )
    return [_entry(row) for row in rows]


def open_sums(customer_id: int, today: date) -> list[OpenSums]:
    """What is open now, one OpenSums for each currency that has any of it."""
    o = _open(customer_id)
    amount = o.c.open_amount
    rows = db.session.execute(
        select(
            o.c.currency,
            func.coalesce(func.sum(amount).filter(amount > 0), 0),
            func.coalesce(func.sum(amount).filter(amount > 0, o.c.due_on < today), 0),
            func.coalesce(-func.sum(amount).filter(amount < 0), 0),
            func.sum(amount),
            func.count(),
        )
        .group_by(o.c.currency)
        .order_by(o.c.currency)
    ).all()
    return [OpenSums(*row) for row in rows]


def open_page(customer_id: int, today: date, args: Mapping[str, str], size: int) -> paging.Page:
    """One page of Opens, oldest first, a currency after the other."""
    told, keys = _open_told(customer_id)
    found = paging.fetch(select(told), keys, args, ascending=True, size=size)
    return paging.Page([_one_open(row, today) for row in found.rows], found.newer, found.older)


def open_every(customer_id: int, today: date) -> list[Open]:
    told, keys = _open_told(customer_id)
    rows = db.session.execute(select(told).order_by(*(key.column for key in keys)))
    return [_one_open(row, today) for row in rows]


def _entry(row: Any) -> Entry:
    return Entry(
        row.currency, row.on_day, Kind(row.kind), row.entry_id, row.number, row.invoices, row.due_on, row.method,
        row.reference, row.amount, row.balance, row.payment_id,
    )  # fmt: skip


def _one_open(row: Any, today: date) -> Open:
    late = (today - row.due_on).days if row.due_on and row.open_amount > 0 else 0
    return Open(
        row.currency, row.on_day, row.entry_id, row.number, row.due_on, row.amount, row.open_amount, row.running,
        max(late, 0),
    )  # fmt: skip


def _told(customer_id: int, span: Span, zone: str) -> tuple[Any, Sequence[paging.Key]]:
    """Entries up to the last day with the balance after each, and the keys of their order."""
    e = _entries(customer_id, zone)
    order = (e.c.on_day, e.c.place, e.c.entry_id)
    balance = func.sum(e.c.amount).over(partition_by=e.c.currency, order_by=order, rows=(None, 0))
    told = select(e, balance.label("balance")).where(e.c.on_day <= span.last).subquery("told")
    return told, (
        paging.Key(told.c.currency, str),
        paging.Key(told.c.on_day, date.fromisoformat),
        paging.Key(told.c.place),
        paging.Key(told.c.entry_id),
    )


def _open_told(customer_id: int) -> tuple[Any, Sequence[paging.Key]]:
    o = _open(customer_id)
    order = (o.c.on_day, o.c.entry_id)
    running = func.sum(o.c.open_amount).over(partition_by=o.c.currency, order_by=order, rows=(None, 0))
    told = select(o, running.label("running")).subquery("told")
    return told, (
        paging.Key(told.c.currency, str),
        paging.Key(told.c.on_day, date.fromisoformat),
        paging.Key(told.c.entry_id),
    )


def _entries(customer_id: int, zone: str) -> Any:
    columns = (
        ("currency", Text), ("on_day", Date), ("place", Integer), ("entry_id", BigInteger), ("kind", Text),
        ("amount", AMOUNT), ("number", Text), ("invoices", BigInteger), ("due_on", Date), ("method", Text),
        ("reference", Text), ("payment_id", BigInteger),
    )  # fmt: skip
    return _bound(ENTRIES, columns, customer_id, zone=zone)


def _open(customer_id: int) -> Any:
    columns = (
        ("currency", Text), ("on_day", Date), ("entry_id", BigInteger), ("number", Text), ("due_on", Date),
        ("amount", AMOUNT), ("open_amount", AMOUNT),
    )  # fmt: skip
    return _bound(OPEN, columns, customer_id)


def _bound(sql: str, columns: Sequence[tuple[str, Any]], customer_id: int, **values: Any) -> Any:
    bound = text(sql).bindparams(
        bindparam("tenant_id", current_tenant_id(), BigInteger),
        bindparam("customer_id", customer_id, BigInteger),
        **values,
    )
    return bound.columns(*(column(name, kind) for name, kind in columns)).subquery("rows")
