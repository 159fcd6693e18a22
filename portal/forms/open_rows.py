"""The rows of a form that spreads an amount over a customer's open invoices, and those that have no row in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal import formatters
from portal.models import Invoice
from portal.money import ZERO


@dataclass
class Row:
    """One open invoice of the allocation table: what was typed for it, and what is wrong with that."""

    invoice: Invoice
    latest_paid_on: date | None = None
    typed: str = ""
    amount: Decimal = ZERO
    error: str = ""

    @property
    def name(self) -> str:
        return f"pay-{self.invoice.id}"

    @property
    def is_full(self) -> bool:
        return self.amount == self.invoice.outstanding


@dataclass(frozen=True)
class Table:
    """`rows` in the order in which money goes to them; `total` open invoices owe `owed`, of which `next_ones` reads
    the oldest without a row."""

    rows: Sequence[Row]
    total: int
    owed: Decimal
    next_ones: Callable[[], Sequence[Row]]

    @property
    def is_cut(self) -> bool:
        return self.total > len(self.rows)

    @property
    def others(self) -> int:
        """How many have no row."""
        return self.total - len(self.rows)

    @property
    def owed_by_others(self) -> Decimal:
        return self.owed - sum((row.invoice.outstanding for row in self.rows), ZERO)


def fill(rows: Sequence[Row], amount: Decimal, currency: str) -> Decimal:
    """Puts as much beside each row as it owes, from the top; what is left."""
    for row in rows:
        row.amount = min(amount, row.invoice.outstanding)
        row.typed = formatters.as_typed(row.amount, currency) if row.amount else ""
        amount -= row.amount
    return amount
