"""Customers and invoices as the partner's own system gives them: the whole state of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal import money

AT_MOST = f"at most {money.COMMA_POINT.grouped(str(money.LARGEST))}"


@dataclass(frozen=True)
class GivenCustomer:
    external_id: str
    name: str
    currency: str
    number: str = ""
    active: bool = True
    phone: str = ""
    address: str = ""
    tax_exempt: bool = False


@dataclass(frozen=True)
class GivenLine:
    """`amount` is without `tax`; all numbers to at most six decimals."""

    name: str
    amount: Decimal
    tax: Decimal
    quantity: Decimal
    rate: Decimal
    description: str = ""
    item_on: date | None = None


@dataclass(frozen=True)
class GivenInvoice:
    """`net` and `tax` add up to what the customer owes; `customer` is that one's external id."""

    external_id: str
    customer: str
    number: str
    currency: str
    issued_on: date
    net: Decimal
    tax: Decimal = Decimal(0)
    due_on: date | None = None
    lines: Sequence[GivenLine] = ()
    order_number: str = ""
    comments: str = ""
    voided: bool = False


def rate_of(amount: Decimal, quantity: Decimal) -> Decimal | None:
    """What one costs, to six decimals; None for more than can be stored."""
    return money.shortened(amount / quantity) if quantity else amount
