"""What the form for applying a credit needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from werkzeug.exceptions import NotFound

from portal import formatters
from portal.access.tenancy import find_or_404
from portal.forms.allocation import Row
from portal.models import Customer, Invoice, InvoiceStatus
from portal.money import ZERO
from portal.queries import payment_form
from portal.queries.unpaid import credits_of, unpaid_of


@dataclass(frozen=True)
class Choice:
    """A credit, the open invoices it can go to, and the customer's other credits."""

    customer: Customer
    credit: Invoice
    others: Sequence[Invoice]
    rows: Sequence[Row]
    first: Invoice | None

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
    def owed(self) -> Decimal:
        return sum((row.invoice.outstanding for row in self.rows), ZERO)

    @property
    def suggested(self) -> str:
        """As much as is left and owed: on the invoice that was asked for, else on all."""
        owed = self.first.outstanding if self.first else self.owed
        return formatters.as_typed(max(min(self.left, owed), ZERO), self.currency)


def choice(args: Mapping[str, str]) -> Choice:
    """`credit_id`, or `invoice_id` to apply that customer's latest credit to; NotFound where there is none."""
    first = find_or_404(Invoice, payment_form.id_of(args["invoice_id"])) if args.get("invoice_id") else None
    credit = _credit(args.get("credit_id"), first)
    customer = find_or_404(Customer, credit.customer_id)
    if first is not None and (first.customer_id, first.currency) != (credit.customer_id, credit.currency):
        raise NotFound
    unpaid = [row for row in unpaid_of(customer.id) if row.currency == credit.currency and row.is_payable]
    others = [row for row in usable(customer.id, credit.currency) if row.id != credit.id]
    rows = payment_form.rows_for(unpaid, first.id if first else None)
    return Choice(customer, credit, others, rows, first)


def usable(customer_id: int, currency: str) -> list[Invoice]:
    """A customer's credits of which something is left."""
    found = credits_of(customer_id)
    return [row for row in found if row.currency == currency and row.outstanding < 0]


def _credit(credit_id: str | None, first: Invoice | None) -> Invoice:
    if credit_id:
        credit = find_or_404(Invoice, payment_form.id_of(credit_id))
        if credit.status != InvoiceStatus.CREDIT:
            raise NotFound
        return credit
    found = usable(first.customer_id, first.currency) if first else []
    if not found:
        raise NotFound("This customer has no credit left.")
    return found[0]
