"""The lines of a customer's statement, and its sums."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What an entry is. Each moves what the customer owes by its amount."""

    INVOICE = "invoice"
    CREDIT = "credit"
    PAYMENT = "payment"
    FAILED = "failed"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"
    SETTLED = "settled"
    ARCHIVED = "archived"

    @property
    def words(self) -> str:
        return ONE.get(self, SUMS[self])

    @property
    def has_invoice(self) -> bool:
        """Whether `entry_id` is an invoice's."""
        return self in (self.INVOICE, self.CREDIT, self.ARCHIVED)


# What one entry is called; where nothing stands here, as its sum.
ONE = {
    Kind.INVOICE: "Invoice", Kind.CREDIT: "Credit", Kind.PAYMENT: "Payment", Kind.FAILED: "Payment failed",
    Kind.REFUNDED: "Refund", Kind.CHARGED_BACK: "Charge-back",
}  # fmt: skip
# What a period's sums are called, in the order in which they are told.
SUMS = {
    Kind.INVOICE: "Invoices",
    Kind.CREDIT: "Credits",
    Kind.PAYMENT: "Payments",
    Kind.FAILED: "Payments that failed",
    Kind.REFUNDED: "Refunds",
    Kind.CHARGED_BACK: "Charge-backs",
    Kind.SETTLED: "Marked as paid",
    Kind.ARCHIVED: "Not asked for any more",
}


@dataclass(frozen=True)
class Entry:
    """One line of a period. `amount` is what it adds to what is owed, `balance` what is owed after it.

    `payment_id` is the payment that it is, or that came back.
    """

    currency: str
    on_day: date
    kind: Kind
    entry_id: int
    number: str
    invoices: int
    due_on: date | None
    method: str
    reference: str
    amount: Decimal
    balance: Decimal
    payment_id: int | None = None

    @property
    def of_one(self) -> bool:
        """Whether it is about one invoice, which `number` names."""
        return self.invoices == 1

    @property
    def carried(self) -> Decimal:
        """What all lines up to it add up to."""
        return self.balance


@dataclass(frozen=True)
class Open:
    """One invoice of which something is owed, or left over (negative). `running` adds up to it."""

    currency: str
    on_day: date
    entry_id: int
    number: str
    due_on: date | None
    amount: Decimal
    open_amount: Decimal
    running: Decimal
    days_late: int

    @property
    def is_left_over(self) -> bool:
        return self.open_amount < 0

    @property
    def carried(self) -> Decimal:
        """What all lines up to it add up to."""
        return self.running


@dataclass(frozen=True)
class PeriodSums:
    currency: str
    opening: Decimal
    moved: Mapping[Kind, Decimal]
    closing: Decimal
    entries: int

    @property
    def parts(self) -> list[tuple[str, Decimal]]:
        """Name and amount, from the opening balance on; invoices and payments always, others where there are any."""
        always = (Kind.INVOICE, Kind.PAYMENT)
        moved = [
            (words, self.moved[kind]) for kind, words in SUMS.items() if self.moved[kind] or kind in always
        ]
        return [("Opening balance", self.opening), *moved]

    @property
    def last(self) -> str:
        """What `closing` is called, to which the parts add up."""
        return "Closing balance"


@dataclass(frozen=True)
class OpenSums:
    """`owed` and `left_over` are positive; what the customer owes altogether is `closing`."""

    currency: str
    owed: Decimal
    overdue: Decimal
    left_over: Decimal
    closing: Decimal
    entries: int

    @property
    def parts(self) -> list[tuple[str, Decimal]]:
        """Name and amount of what adds up to `closing`."""
        told = [("Overdue", self.overdue), ("Not due yet", self.owed - self.overdue)]
        left = [("Credit left", -self.left_over)] if self.left_over else []
        return [part for part in told if part[1]] + left

    @property
    def last(self) -> str:
        return "To pay" if self.closing >= 0 else "In the customer's favour"
