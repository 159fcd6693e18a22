"""One currency first: the partner's own where there is any of it, then those with most rows."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import g


def main_first(rows: Iterable[Any], weight: Callable[[Any], int]) -> list[Any]:
    """Rows with a `currency`, in the order in which a page tells of them."""
    usual = g.partner.default_currency
    return sorted(rows, key=lambda row: (row.currency != usual, -weight(row), row.currency))
