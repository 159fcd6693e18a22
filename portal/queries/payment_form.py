"""What the form for recording a payment needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from werkzeug.exceptions import NotFound

from portal import formatters
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.forms.allocation import Row
from portal.models import Agreement, Allocation, CreditApplication, Customer, Invoice, Payment
from portal.money import ZERO
from portal.payments.rules import why_not_payable
from portal.queries.unpaid import unpaid_of


@dataclass(frozen=True)
class Choice:
    """What is to be paid: a customer's open invoices of one currency, perhaps one of them first."""

    customer: Customer
    currency: str
    currencies: Sequence[str]
    rows: Sequence[Row]
    first: Invoice | None
    missing: Sequence[Invoice] = ()

    @property
    def why_not(self) -> str:
        """Why the invoice that was asked for takes no payment; empty when it does."""
        return (why_not_payable(self.first) or "") if self.first else ""

    @property
    def owed(self) -> Decimal:
        return sum((row.invoice.outstanding for row in self.rows), ZERO)

    @property
    def suggested(self) -> str:
        """The amount to begin with: what is owed on the invoice that was asked for."""
        return (
            formatters.as_typed(self.first.outstanding, self.currency)
            if self.first and self.first.is_payable
            else ""
        )


def choice(args: Mapping[str, str]) -> Choice | None:
    """What an address or a form chose: `invoice`, or `customer` and perhaps `currency`.

    None when neither is given; NotFound for unknown and foreign ones.
    """
    first = find_or_404(Invoice, id_of(args["invoice"])) if args.get("invoice") else None
    if first is None and not args.get("customer"):
        return None
    customer = find_or_404(Customer, first.customer_id if first else id_of(args["customer"]))
    unpaid = unpaid_of(customer.id)
    currencies = sorted({invoice.currency for invoice in unpaid})
    currency = _currency(args.get("currency", ""), customer, currencies, first)
    wanted = [invoice for invoice in unpaid if invoice.currency == currency]
    rows = rows_for([row for row in wanted if row.is_payable], first.id if first else None)
    return Choice(customer, currency, currencies, rows, first, [row for row in wanted if row.missing_since])


def taken_away(why_not: str, ids: Sequence[int]) -> str:
    """Why an amount cannot go where it was typed; empty when it can.

    `ids` are invoices that are not to be paid any more: what was meant for them must go to no other unasked.
    """
    if why_not:
        return "Nothing was recorded. To pay other invoices of this customer, say below which."
    if not ids:
        return ""
    found = db.session.scalars(scoped(Invoice).where(Invoice.id.in_(ids)).order_by(Invoice.id))
    whys = [why_not_payable(row) or f"Invoice {row.number} is not among these." for row in found]
    told = " ".join(whys) or "An invoice of this form is not here any more."
    return f"{told} Nothing was recorded; say again what goes to which invoice."


def choice_or_404(args: Mapping[str, str]) -> Choice:
    """The same for a form that was sent: without a choice there is nothing to record."""
    found = choice(args)
    if found is None:
        raise NotFound
    return found


def id_of(text: str) -> int:
    """An id from an address or a form. Raises NotFound for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)


def _currency(wanted: str, customer: Customer, currencies: Sequence[str], first: Invoice | None) -> str:
    if first is not None:
        return first.currency
    for currency in (wanted, customer.currency, *currencies):
        if currency in currencies:
            return currency
    return customer.currency


def rows_for(open_invoices: Sequence[Invoice], first_id: int | None = None) -> list[Row]:
    """The allocation table, the invoice that was asked for on top."""
    latest = _latest_paid_on([invoice.id for invoice in open_invoices])
    rows = [Row(invoice, latest.get(invoice.id)) for invoice in open_invoices]
    return sorted(rows, key=lambda row: row.invoice.id != first_id)


def will_show(row: Row, paid_on: date | None, is_refused: bool = False) -> str:
    """What Autotask will show for this invoice if the row is recorded as it stands; nothing on a refused day."""
    if not row.amount:
        return ""
    if row.amount < row.invoice.outstanding:
        return when_part(row.invoice)
    if is_refused:
        return ""
    last = max(filter(None, (paid_on, row.latest_paid_on)), default=None)
    return when_full(row.invoice, formatters.day(last) if last else "that day")


def when_full(invoice: Invoice, day: str = "{day}") -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return f"{invoice.number} is paid; it exists only here."
    return f"Autotask will show {invoice.number} as paid on {day}."


def when_part(invoice: Invoice) -> str:
    if invoice.agreement == Agreement.PORTAL_ONLY:
        return f"{invoice.number} stays part paid; it exists only here."
    return f"{invoice.number} stays unpaid in Autotask until it is fully paid."


def _latest_paid_on(invoice_ids: Sequence[int]) -> dict[int, date]:
    """The last day money came for each invoice so far: the paid date can only move forward from there."""
    tenant_id = current_tenant_id()
    paid = (
        select(Allocation.invoice_id, func.max(Payment.paid_on))
        .join(Payment, (Payment.tenant_id == Allocation.tenant_id) & (Payment.id == Allocation.payment_id))
        .where(Allocation.tenant_id == tenant_id, Allocation.invoice_id.in_(invoice_ids))
        .where(Payment.deleted_at.is_(None))
        .group_by(Allocation.invoice_id)
    )
    credited = (
        select(CreditApplication.invoice_id, func.max(CreditApplication.applied_on))
        .where(CreditApplication.tenant_id == tenant_id, CreditApplication.invoice_id.in_(invoice_ids))
        .where(CreditApplication.removed_at.is_(None))
        .group_by(CreditApplication.invoice_id)
    )
    latest: dict[int, date] = {}
    for invoice_id, day in [*db.session.execute(paid), *db.session.execute(credited)]:
        latest[invoice_id] = max(day, latest.get(invoice_id, day))
    return latest
