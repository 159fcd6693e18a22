"""Which column of a file is what, and how it writes days and amounts: guessed, chosen by a person, and remembered."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import ImportColumns, ImportKind, Tenant
from portal.money import NUMBER_FORMATS, AmountError
from portal.payments import written_days
from portal.payments.written_days import Order
from portal.uploads import fields, written

DAYS = ("issued_on", "due_on", "line_date")
AMOUNTS = ("total", "tax", "line_amount", "rate", "line_tax", "quantity")


@dataclass(frozen=True)
class Choice:
    """`columns` is {field: place of its column}; `with_tax`: the amounts of lines hold their tax."""

    columns: Mapping[str, int] = field(default_factory=dict)
    order: Order = Order.YEAR_FIRST
    numbers: str = "comma_point"
    with_tax: bool = False

    def cell(self, name: str, cells: Sequence[str]) -> str:
        place = self.columns.get(name)
        return cells[place].strip() if place is not None and place < len(cells) else ""

    def has(self, *names: str) -> bool:
        return any(name in self.columns for name in names)

    @property
    def has_lines(self) -> bool:
        """Rows are lines, of which each has an amount of its own."""
        return self.has("line_amount") or (self.has("rate") and self.has("quantity"))

    @property
    def kept(self) -> dict[str, Any]:
        return {
            "columns": dict(self.columns), "order": self.order.value, "numbers": self.numbers,
            "with_tax": self.with_tax,
        }  # fmt: skip


def from_kept(kept: Mapping[str, Any]) -> Choice:
    return Choice(
        dict(kept.get("columns", {})),
        Order(kept.get("order", Order.YEAR_FIRST)),
        str(kept.get("numbers", "comma_point")),
        bool(kept.get("with_tax", False)),
    )


def suggested(kind: ImportKind, headings: Sequence[str], sample: Sequence[Sequence[str]]) -> Choice:
    """As the partner read these headings the last time, else as the headings and the first rows say.

    Days and amounts are read as the first rows write them, also where the file before wrote them otherwise.
    """
    found = db.session.scalar(
        select(ImportColumns.choice).where(
            ImportColumns.tenant_id == current_tenant_id(),
            ImportColumns.kind == kind,
            ImportColumns.headings == digest(headings),
        )
    )
    usual = _usual(kind, headings, sample) if found is None else from_kept(_placed(found, headings))
    days, amounts = (list(_cells(usual.columns, names, sample)) for names in (DAYS, AMOUNTS))
    order = _readable(Order, usual.order, days, _is_day)
    read = replace(usual, order=order, numbers=_readable(NUMBER_FORMATS, usual.numbers, amounts, _is_amount))
    return read if found is not None else replace(read, with_tax=_hold_tax(read, sample))


def _usual(kind: ImportKind, headings: Sequence[str], sample: Sequence[Sequence[str]]) -> Choice:
    """By the headings, and by where the partner is."""
    tenant = db.session.get_one(Tenant, current_tenant_id())
    columns = fields.guessed(kind, headings)
    if kind == ImportKind.INVOICES and "customer" not in columns and 0 not in columns.values():
        columns |= {"customer": 0} if any(cells[:1] == [*filter(None, cells)] for cells in sample) else {}
    return Choice(
        columns, written_days.usual(tenant.time_zone, tenant.default_currency), tenant.number_format
    )


def _hold_tax(choice: Choice, sample: Sequence[Sequence[str]]) -> bool:
    """Whether more invoices have a total that their lines make with the tax in them than without."""
    found: dict[str, list[Sequence[str]]] = {}
    for cells in sample:
        found.setdefault(choice.cell("number", cells), []).append(cells)
    votes = Counter(held_by_total(choice, rows) for rows in found.values())
    return votes[True] > votes[False]


def held_by_total(choice: Choice, rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether the lines of one invoice hold their tax, by its total; None where that does not tell."""
    if not (choice.has("line_amount") and choice.has("total")):
        return None
    tax_of = ("line_tax", rows) if choice.has("line_tax") else ("tax", rows[:1])
    try:
        lines, tax, total = (
            sum(written.amount(words, choice.numbers) for one in some if (words := choice.cell(name, one)))
            for name, some in (("line_amount", rows), tax_of, ("total", rows[:1]))
        )
    except AmountError:
        return None
    return total == lines if tax and total in (lines, lines + tax) else None


def remember(kind: ImportKind, headings: Sequence[str], choice: Choice) -> None:
    """For the next file with these headings, in whatever order they stand. The caller commits."""
    named = {name: _named(headings, place) for name, place in choice.columns.items()}
    values = {"choice": {**choice.kept, "columns": named}}
    statement = insert(ImportColumns).values(
        tenant_id=current_tenant_id(), kind=kind, headings=digest(headings), **values
    )
    keys = ["tenant_id", "kind", "headings"]
    db.session.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


def digest(headings: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(headings)).encode()).hexdigest()


def _named(headings: Sequence[str], place: int) -> list[Any]:
    """A column by its heading, and how many of that name stand before it."""
    return [headings[place], list(headings[:place]).count(headings[place])]


def _placed(kept: Mapping[str, Any], headings: Sequence[str]) -> dict[str, Any]:
    places = {tuple(_named(headings, place)): place for place in range(len(headings))}
    columns = {name: places[tuple(of)] for name, of in kept["columns"].items() if tuple(of) in places}
    return {**kept, "columns": columns}


def _cells(
    columns: Mapping[str, int], names: Sequence[str], sample: Sequence[Sequence[str]]
) -> Iterator[str]:
    for name in names:
        for cells in sample:
            if name in columns and columns[name] < len(cells) and (cell := cells[columns[name]].strip()):
                yield cell


def _readable(ways: Any, usual: Any, cells: Sequence[str], reads: Any) -> Any:
    """The usual way, unless another reads more of the cells."""
    return max([usual, *ways], key=lambda way: sum(reads(cell, way) for cell in cells))


def _is_day(cell: str, order: Order) -> bool:
    return written.day(cell, order) is not None


def _is_amount(cell: str, numbers: str) -> bool:
    try:
        written.amount(cell, numbers)
    except AmountError:
        return False
    return True
