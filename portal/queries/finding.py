"""What typed words find, in every list and in the search: numbers, names, references, Autotask IDs, exact amounts."""

import re
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, union_all

from portal import formatters
from portal.access.tenancy import current_tenant_id
from portal.models import (
    IS_UNPAID,
    Allocation,
    Customer,
    Integration,
    Invoice,
    InvoiceStatus,
    InvoiceWord,
    Payment,
    PaymentWord,
)
from portal.money import LARGEST
from portal.queries.text import containing

MONEY = r"(?:[A-Za-z]{{3}}\s?|[$€£]\s?)?({number})\s?(?:[A-Za-z]{{3}})?"
LONGEST_AMOUNT = 40
LARGEST_ID = 2**63 - 1
LONGEST_WORD = 60  # as long as words are kept
LAST_CHARACTER = "\U0010ffff"


def amount(words: str) -> Decimal | None:
    """The amount that words like `1,204.50`, `1204.5 USD` or `$12` name; None for other words."""
    style = formatters.number_format()
    words = words.replace(" ", style.group) if style.group.isspace() else words
    found = re.fullmatch(MONEY.format(number=style.pattern), words) if len(words) <= LONGEST_AMOUNT else None
    if found is None:
        return None
    typed = Decimal(found[1].replace(style.group, "").replace(style.point, "."))
    return typed if abs(typed) <= LARGEST and int(typed.as_tuple().exponent) >= -6 else None


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
    """Invoices by what stands on them, their customer, the references of their payments, or an exact amount.

    Each way has an index of its own, which one condition of several would not use.
    """
    mine = select(Invoice.id).where(Invoice.tenant_id == current_tenant_id())
    paid = (
        select(Allocation.invoice_id)
        .join(PaymentWord, (PaymentWord.tenant_id == Allocation.tenant_id) & _pays)
        .where(Allocation.tenant_id == current_tenant_id(), _begins(PaymentWord, words))
    )
    ways = [*_numbered(words), mine.where(Invoice.customer_id.in_(_customers(words))), paid]
    if (money := amount(words)) is not None:
        left = mine.where(Invoice.outstanding == money)
        ways += [
            mine.where(Invoice.amount_due == money),
            left.where(IS_UNPAID, Invoice.archived_at.is_(None)),
            left.where(IS_UNPAID, Invoice.archived_at.is_not(None)),
            left.where(Invoice.status == InvoiceStatus.CREDIT),
        ]
    return Invoice.id.in_(union_all(*ways))


def payment(words: str) -> ColumnElement[bool]:
    """Payments by reference, exact amount, customer, or the invoices that they pay."""
    mine = select(Payment.id).where(Payment.tenant_id == current_tenant_id())
    referring = select(PaymentWord.payment_id).where(
        PaymentWord.tenant_id == current_tenant_id(), _begins(PaymentWord, words)
    )
    paying = select(Allocation.payment_id).where(
        Allocation.tenant_id == current_tenant_id(), Allocation.invoice_id.in_(union_all(*_numbered(words)))
    )
    ways = [referring, paying, mine.where(Payment.customer_id.in_(_customers(words)))]
    if (money := amount(words)) is not None:
        ways.append(mine.where(Payment.amount == money))
    return Payment.id.in_(union_all(*ways))


def _numbered(words: str) -> list[Any]:
    """Ids by the number shown, Autotask's own number, and the Autotask ID, whichever of them is shown (rule 1.5)."""
    by_word = select(InvoiceWord.invoice_id).where(
        InvoiceWord.tenant_id == current_tenant_id(), _begins(InvoiceWord, words)
    )
    if (number := autotask_id(words)) is None:
        return [by_word]
    sources = select(Integration.id).where(Integration.tenant_id == current_tenant_id())
    by_id = select(Invoice.id).where(
        Invoice.tenant_id == current_tenant_id(),
        Invoice.integration_id.in_(sources),
        Invoice.autotask_id == number,
    )
    return [by_word, by_id]


def _begins(table: Any, words: str) -> ColumnElement[bool]:
    """Compared and not matched: a pattern would be looked for row by row behind row-level security."""
    first = func.lower(literal(words[:LONGEST_WORD]))
    return and_(table.word >= first, table.word < first.concat(LAST_CHARACTER))


def _customers(words: str) -> Any:
    return select(Customer.id).where(Customer.tenant_id == current_tenant_id(), customer(words))


_pays: Any = PaymentWord.payment_id == Allocation.payment_id
