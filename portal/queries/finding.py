"""What typed words find, in every list and in the search: numbers, names, references, Autotask IDs, exact amounts."""

import re
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from portal import formatters
from portal.access.tenancy import current_tenant_id
from portal.models import Allocation, Customer, Invoice, Payment
from portal.money import LARGEST
from portal.queries.text import containing

MONEY = r"(?:[A-Za-z]{{3}}\s?|[$€£]\s?)?({number})\s?(?:[A-Za-z]{{3}})?"
LONGEST_AMOUNT = 40
LARGEST_ID = 2**63 - 1


def amount(words: str) -> Decimal | None:
    """The amount that words like `1,204.50`, `1204.5 USD` or `$12` name; None for other words."""
    style = formatters.number_format()
    words = words.replace(" ", style.group) if style.group.isspace() else words
    found = re.fullmatch(MONEY.format(number=style.pattern), words) if len(words) <= LONGEST_AMOUNT else None
    if found is None:
        return None
    typed = Decimal(found[1].replace(style.group, "").replace(style.point, "."))
    return typed if abs(typed) < LARGEST and int(typed.as_tuple().exponent) >= -6 else None


def autotask_id(words: str) -> int | None:
    """The id that digits alone name."""
    fits = words.isascii() and words.isdigit() and len(words) < 20 and 0 < int(words) <= LARGEST_ID
    return int(words) if fits else None


def customer(words: str) -> ColumnElement[bool]:
    """Customers by name, number or Autotask ID."""
    pattern = containing(words)
    found: list[Any] = [Customer.name.ilike(pattern), Customer.number.ilike(pattern)]
    if number := autotask_id(words):
        found.append(Customer.autotask_id == number)
    return or_(*found)


def invoice(words: str) -> ColumnElement[bool]:
    """Invoices by what stands on them, their customer, the references of their payments, or an exact amount."""
    return or_(*_own(words), Invoice.customer_id.in_(_customers(words)), Invoice.id.in_(_paid_with(words)))


def payment(words: str) -> ColumnElement[bool]:
    """Payments by reference, exact amount, customer, or the invoices that they pay."""
    paying = (
        select(Allocation.payment_id)
        .join(Invoice, (Invoice.tenant_id == Allocation.tenant_id) & (Invoice.id == Allocation.invoice_id))
        .where(Allocation.tenant_id == current_tenant_id(), or_(*_numbered(words)))
    )
    found: list[Any] = [Payment.reference.ilike(containing(words)), Payment.id.in_(paying)]
    found.append(Payment.customer_id.in_(_customers(words)))
    if (money := amount(words)) is not None:
        found.append(Payment.amount == money)
    return or_(*found)


def _own(words: str) -> list[Any]:
    money = amount(words)
    if money is None:
        return _numbered(words)
    return [*_numbered(words), Invoice.amount_due == money, Invoice.outstanding == money]


def _numbered(words: str) -> list[Any]:
    """The number shown, Autotask's own number, and the Autotask ID, whichever of them is shown (rule 1.5)."""
    pattern = containing(words)
    found: list[Any] = [Invoice.number.ilike(pattern), Invoice.autotask_number.ilike(pattern)]
    if number := autotask_id(words):
        found.append(Invoice.autotask_id == number)
    return found


def _customers(words: str) -> Any:
    return select(Customer.id).where(Customer.tenant_id == current_tenant_id(), customer(words))


def _paid_with(words: str) -> Any:
    return (
        select(Allocation.invoice_id)
        .join(Payment, (Payment.tenant_id == Allocation.tenant_id) & (Payment.id == Allocation.payment_id))
        .where(Allocation.tenant_id == current_tenant_id(), Payment.reference.ilike(containing(words)))
    )
