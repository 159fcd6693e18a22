"""The beginning of a list with how long all of it is: `ui.cut` says so and leads to the page that has every row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from portal.extensions import db


@dataclass(frozen=True)
class Some:
    """The first rows of a list, and how many there are together."""

    rows: Sequence[Any]
    total: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_cut(self) -> bool:
        return self.total > len(self.rows)


def first(statement: Select[Any], most: int) -> Some:
    """The first `most` rows of an ordered statement; all are counted only where there are more."""
    found = db.session.execute(statement.limit(most + 1)).all()
    rows = [row[0] if len(row) == 1 else row for row in found[:most]]
    return Some(rows, _count(statement) if len(found) > most else len(rows))


def _count(statement: Select[Any]) -> int:
    every = statement.order_by(None).subquery()
    return db.session.scalar(select(func.count()).select_from(every)) or 0
