"""Invoices of the portal's own, and changes here to those of Autotask. None goes to Autotask (rule 3.8). The caller commits."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal import clock, formatters, ledger, money
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Agreement, Customer, Invoice
from portal.own_records.refusal import NotAllowed

UNPAID = ("open", "part_paid")


@dataclass(frozen=True)
class NewInvoice:
    """An invoice made in the portal. `amount` includes `tax`."""

    customer_id: int
    number: str
    issued_on: date
    due_on: date | None
    amount: Decimal
    tax: Decimal = Decimal(0)
    comments: str = ""


def _check(new: NewInvoice) -> None:
    _check_amount(new.amount, new.tax)
    _check_days(new.issued_on, new.due_on)
    if not new.number.strip():
        raise NotAllowed("Give the invoice a number.", "number")


def create_invoice(actor: Actor, new: NewInvoice) -> Invoice:
    """An invoice of the portal's own. Raises NotAllowed."""
    key = (current_tenant_id(), new.customer_id)
    # Held, so that its currency stays what the invoice says.
    customer = db.session.get(Customer, key, with_for_update={"read": True}, populate_existing=True)
    if customer is None:
        raise NotAllowed("There is no such customer.", "customer_id")
    _check(new)
    row = Invoice(
        tenant_id=customer.tenant_id,
        customer_id=customer.id,
        number=new.number.strip()[:100],
        issued_on=new.issued_on,
        due_on=new.due_on,
        currency=customer.currency,
        total_raw=new.amount - new.tax,
        tax_raw=new.tax,
        amount_due=money.rounded(new.amount, customer.currency),
        comments=new.comments,
        agreement=Agreement.PORTAL_ONLY,
    )
    db.session.add(row)
    db.session.flush()
    told = {"number": row.number, "amount_due": str(row.amount_due)}
    audit.record(actor, "invoice.created", "invoice", row.id, **told)
    return row


def change_invoice(actor: Actor, invoice: Invoice, amount: Decimal, due_on: date | None) -> bool:
    """Another amount or due date for an unpaid invoice; whether anything changed.

    The next sync that reads it puts Autotask's values back (rule 3.7). Raises NotAllowed.
    """
    ledger.lock_invoices([invoice.id])
    db.session.refresh(invoice)
    amount = _checked(invoice, amount, due_on)
    before = {"amount_due": money.plain(invoice.amount_due, invoice.currency), "due_on": invoice.due_on}
    if (amount, due_on) == (invoice.amount_due, invoice.due_on):
        return False
    _set(invoice, amount, due_on)
    ledger.restate([invoice.id])
    after = {"amount_due": money.plain(amount, invoice.currency), "due_on": due_on}
    audit.record(actor, "invoice.changed", "invoice", invoice.id, before=before, after=after)
    return True


def _checked(invoice: Invoice, amount: Decimal, due_on: date | None) -> Decimal:
    """The amount, rounded as the currency is. Raises NotAllowed."""
    if invoice.status not in UNPAID or invoice.archived_at is not None:
        raise NotAllowed("Only an unpaid invoice can be changed here.")
    _check_amount(amount, invoice.tax_raw if invoice.autotask_id is None else Decimal(0))
    _check_days(invoice.issued_on, due_on)
    covered = invoice.paid_amount + invoice.credited_amount
    amount = money.rounded(amount, invoice.currency)
    if amount < covered:
        shown = formatters.money(covered, invoice.currency)
        raise NotAllowed(f"{shown} is already paid; the amount cannot be less.", "amount")
    return amount


def _set(invoice: Invoice, amount: Decimal, due_on: date | None) -> None:
    invoice.amount_due, invoice.due_on = amount, due_on
    if invoice.autotask_id is not None:
        invoice.locally_changed_at = clock.now()
    else:
        invoice.total_raw = amount - invoice.tax_raw
    db.session.flush()


def _check_amount(amount: Decimal, tax: Decimal) -> None:
    if amount <= 0:
        raise NotAllowed("The amount must be more than zero.", "amount")
    if abs(amount - tax) > money.LARGEST:
        raise NotAllowed("Without the tax this is more than an invoice can hold.", "tax")


def _check_days(issued_on: date, due_on: date | None) -> None:
    for day, field in ((issued_on, "issued_on"), (due_on, "due_on")):
        if day is not None and not 1990 <= day.year <= 2100:
            raise NotAllowed("Choose a day between 1990 and 2100.", field)
