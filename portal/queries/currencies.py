"""One currency first: the partner's own where there is any of it, then those with most rows."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import g


class ByCurrency(list[Any]):
    """Rows with a `currency`, one each, in the order in which a page tells of them."""

    def __init__(self, rows: Iterable[Any], weight: Callable[[Any], int]) -> None:
        super().__init__(rows)
        self._weight = weight

    @property
    def only(self) -> str:
        """The currency where there is one alone, so that a heading names it once; otherwise empty."""
        return str(self[0].currency) if len(self) == 1 else ""

    @property
    def others(self) -> list[Any]:
        """Those that the page does not put first."""
        return self[1:]

    @property
    def in_others(self) -> int:
        """How many records the others stand for."""
        return sum(self._weight(row) for row in self.others)


def main_first(rows: Iterable[Any], weight: Callable[[Any], int]) -> ByCurrency:
    """Rows with a `currency`, and how many records (`weight`) each stands for."""
    usual = g.partner.default_currency
    order = sorted(rows, key=lambda row: (row.currency != usual, -weight(row), row.currency))
    return ByCurrency(order, weight)
