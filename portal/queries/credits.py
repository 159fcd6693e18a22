"""What the form for applying a credit needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from werkzeug.exceptions import NotFound

from portal import formatters
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.open_rows import Table
from portal.models import Customer, Invoice, InvoiceStatus
from portal.money import ZERO
from portal.queries import cut, open_invoices, payment_form
from portal.queries.unpaid import credits_of

OTHERS = 10


@dataclass(frozen=True)
class Choice:
    """A credit, the open invoices it can go to, and the customer's other credits."""

    customer: Customer
    credit: Invoice
    others: cut.Some
    table: Table
    first: Invoice | None
    words: str
    found: cut.Some

    @property
    def currency(self) -> str:
        return self.credit.currency

    @property
    def unpayable(self) -> list[int]:
        """The invoice that was asked for, where it takes nothing any more."""
        return [self.first.id] if self.first and not self.first.is_payable else []

    @property
    def left(self) -> Decimal:
        return -self.credit.outstanding

    @property
    def suggested(self) -> str:
        """As much as is left and owed: on the invoice that was asked for, else on all."""
        owed = self.first.outstanding if self.first else self.table.owed
        return formatters.as_typed(max(min(self.left, owed), ZERO), self.currency)


def choice(args: Mapping[str, str], words: str = "") -> Choice:
    """`credit_id`, or `invoice_id` to apply that customer's latest credit to; NotFound where there is none."""
    first = find_or_404(Invoice, payment_form.id_of(args["invoice_id"])) if args.get("invoice_id") else None
    credit = _credit(args.get("credit_id"), first)
    customer = find_or_404(Customer, credit.customer_id)
    if first is not None and (first.customer_id, first.currency) != (credit.customer_id, credit.currency):
        raise NotFound
    owing = {one.currency: one for one in open_invoices.owing(customer.id)}
    mine = owing.get(credit.currency) or open_invoices.nothing_owed(credit.currency)
    found = open_invoices.found(customer.id, credit.currency, words)
    on_top = [row.id for row in (first, *found) if row]
    table = open_invoices.table(customer.id, mine, args, on_top)
    others = _usable(customer.id, credit.currency).where(Invoice.id != credit.id)
    return Choice(customer, credit, cut.first(others, OTHERS), table, first, words, found)


def _usable(customer_id: int, currency: str) -> Any:
    """A customer's credits of which something is left, newest first."""
    return credits_of(customer_id).where(Invoice.currency == currency, Invoice.outstanding < 0)


def _credit(credit_id: str | None, first: Invoice | None) -> Invoice:
    if credit_id:
        credit = find_or_404(Invoice, payment_form.id_of(credit_id))
        if credit.status != InvoiceStatus.CREDIT:
            raise NotFound
        return credit
    found = db.session.scalar(_usable(first.customer_id, first.currency).limit(1)) if first else None
    if found is None:
        raise NotFound("This customer has no credit left.")
    return found
