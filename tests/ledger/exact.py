"""An invoice in whole minor units, worked out without the portal's code."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}


def half_up(amount: Fraction, digits: int) -> int:
    """`amount` in whole minor units, halves away from zero."""
    units = int(abs(amount) * 10**digits + Fraction(1, 2))
    return units if amount >= 0 else -units


@dataclass
class Exact:
    """An invoice in minor units."""

    id: int
    currency: str
    customer_id: int
    total: Decimal
    tax: Decimal
    due: int = 0
    paid: int = 0
    credited: int = 0
    applied: int = 0
    pending: int = 0
    is_marked: bool = False

    def __post_init__(self) -> None:
        self.change(self.total, self.tax)

    def change(self, total: Decimal, tax: Decimal) -> None:
        self.total, self.tax = total, tax
        self.due = half_up(Fraction(total) + Fraction(tax), DIGITS[self.currency])

    @property
    def settled(self) -> int:
        return max(self.due - self.paid - self.credited, 0) if self.is_marked else 0

    @property
    def outstanding(self) -> int:
        return self.due - self.paid - self.credited - self.settled + self.applied

    def money(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-DIGITS[self.currency])

    def figures(self) -> list[Decimal]:
        """In the order of FIGURES."""
        all_of_them = (
            self.due,
            self.paid,
            self.credited,
            self.applied,
            self.settled,
            self.outstanding,
            self.pending,
        )
        return [self.money(units) for units in all_of_them]
