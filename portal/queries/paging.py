"""Keyset paging: a page is found by the last row of the one before, however many rows there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import g, has_request_context
from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from portal.extensions import db

SIZE = 50
SEPARATOR = "~"
LONGEST_CURSOR = 400


@dataclass(frozen=True)
class Key:
    """One column of the order, and how its value is read back from an address."""

    column: Any
    read: Any = int


@dataclass(frozen=True)
class Page:
    """Rows in their order, with the cursors of the pages around them (None at either end)."""

    rows: Sequence[Any]
    newer: str | None
    older: str | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def only_currency(self) -> str:
        """The currency of all rows where it is the same, so that a heading names it once; otherwise empty."""
        found = {row.currency for row in self.rows}
        return str(found.pop()) if len(found) == 1 else ""


class BadCursor(ValueError):
    """The address carries no usable place in the list."""


def fetch(
    statement: Select[Any],
    keys: Sequence[Key],
    args: Mapping[str, str],
    *,
    ascending: bool = False,
    size: int = SIZE,
) -> Page:
    """One page of `statement`, ordered by `keys` (all in one direction; the last must be unique).

    `args` may hold `older` or `newer`, the place of a row; an unusable place gives the first page.
    """
    backwards, place = _place(args, keys)
    columns = [key.column for key in keys]
    upwards = ascending != backwards
    if place is not None:
        bound = tuple_(*(literal(value, column.type) for value, column in zip(place, columns, strict=True)))
        row = tuple_(*columns)
        statement = statement.where(row > bound if upwards else row < bound)
    ordered = statement.order_by(*(column.asc() if upwards else column.desc() for column in columns))
    found = db.session.execute(ordered.limit(size + 1)).all()
    more = len(found) > size
    rows = found[:size]
    if backwards:
        rows = list(reversed(rows))
    return _page(rows, columns, before=more if backwards else place is not None, after=backwards or more)


def _page(rows: Sequence[Any], columns: Sequence[Any], *, before: bool, after: bool) -> Page:
    shown = [row[0] if len(row) == 1 else row for row in rows]
    if not rows:
        return Page(shown, None, None)
    return Page(
        shown,
        newer=_cursor(rows[0], columns) if before else None,
        older=_cursor(rows[-1], columns) if after else None,
    )


def _cursor(row: Any, columns: Sequence[Any]) -> str:
    return SEPARATOR.join(_text(_value(row, column)) for column in columns)


def _value(row: Any, column: Any) -> Any:
    if isinstance(column, InstrumentedAttribute) and hasattr(row[0], column.key):
        return getattr(row[0], column.key)
    return row._mapping[column.key]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _place(args: Mapping[str, str], keys: Sequence[Key]) -> tuple[bool, tuple[Any, ...] | None]:
    for name, backwards in (("newer", True), ("older", False)):
        text = args.get(name)
        if text:
            try:
                return backwards, _read(text, keys)
            except BadCursor:
                if has_request_context():
                    g.asked_for_no_place = True
                return False, None
    return False, None


def asked_for_no_place() -> bool:
    """Whether a list of this request was asked for a page that there is not, and showed its first one."""
    return bool(g.get("asked_for_no_place"))


def _read(text: str, keys: Sequence[Key]) -> tuple[Any, ...]:
    parts = text.rsplit(SEPARATOR, len(keys) - 1) if len(text) <= LONGEST_CURSOR else []
    if len(parts) != len(keys) or "\0" in text:
        raise BadCursor
    try:
        values = tuple(key.read(part) for key, part in zip(keys, parts, strict=True))
    except (ValueError, InvalidOperation) as error:
        raise BadCursor from error
    if any(_too_large(value) for value in values):
        raise BadCursor
    return values


def is_place(text: str, keys: Sequence[Key]) -> bool:
    """Whether a cursor can be read."""
    try:
        return bool(_read(text, keys))
    except BadCursor:
        return False


def _too_large(value: Any) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite() or abs(value) >= Decimal(10) ** 12
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def kept(args: Mapping[str, str], *names: str) -> dict[str, str]:
    """The parts of an address that stay when a person turns the page."""
    return {name: args[name] for name in names if args.get(name)}


def as_instant(text: str) -> datetime:
    """An instant of a cursor. Raises ValueError without a zone."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(text)
    return value
