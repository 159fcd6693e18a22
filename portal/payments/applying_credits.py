"""Applying credits (invoices with a negative total) to open invoices of the same customer and currency (rule 4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal import clock, formatters, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.models import CreditApplication, Invoice, InvoiceStatus
from portal.money import ZERO, plain, rounded
from portal.payments.rules import why_not_payable


class CreditRefused(ValueError):
    """The credit is not applied, and nothing was stored. `field` names the input at fault."""

    def __init__(self, sentence: str, field: str = "amount") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class NewApplication:
    """Which credit goes to which open invoices: (invoice id, amount) pairs."""

    credit_id: int
    allocations: Sequence[tuple[int, Decimal]]
    applied_on: date


def apply(actor: Actor, new: NewApplication) -> None:
    """Applies a credit. Not safe to run twice: whoever asks claims a key first.

    Raises CreditRefused, and NotFound for foreign invoices. The caller commits, then rings the bell.
    """
    ids = sorted({new.credit_id, *(invoice_id for invoice_id, _ in new.allocations)})
    ledger.lock_invoices(ids)
    rows = _fresh(ids)
    credit = rows[new.credit_id]
    _check_credit(credit, sum((amount for _, amount in new.allocations), ZERO))
    for invoice_id, amount in new.allocations:
        _check_target(credit, rows[invoice_id], amount)
    for invoice_id, amount in new.allocations:
        _insert(actor, credit, rows[invoice_id], amount, new.applied_on)
    ledger.restate(ids)


def take_back(actor: Actor, application_id: int) -> CreditApplication:
    """Undoes an application: the invoice is open again by it, and the credit can be used again.

    Raises CreditRefused when it was taken back before. The caller commits, then rings the bell.
    """
    row = find_or_404(CreditApplication, application_id)
    ids = sorted((row.credit_invoice_id, row.invoice_id))
    ledger.lock_invoices(ids)
    db.session.refresh(row, with_for_update=True)
    if row.removed_at is not None:
        raise CreditRefused("This credit was already taken back.")
    row.removed_at, row.removed_by_id = clock.now(), actor.user_id
    ledger.restate(ids)
    invoice = find_or_404(Invoice, row.invoice_id)
    _log(actor, "credit.removed", invoice, row)
    return row


def _fresh(ids: Sequence[int]) -> dict[int, Invoice]:
    for invoice_id in ids:
        find_or_404(Invoice, invoice_id)
    statement = scoped(Invoice).where(Invoice.id.in_(ids)).execution_options(populate_existing=True)
    return {row.id: row for row in db.session.scalars(statement)}


def _check_credit(credit: Invoice, wanted: Decimal) -> None:
    if credit.status != InvoiceStatus.CREDIT:
        raise CreditRefused(f"{credit.number} is not a credit.")
    if credit.archived_at is not None:
        raise CreditRefused(f"Credit {credit.number} is archived. Restore it before applying it.")
    if not wanted:
        raise CreditRefused("Choose at least one invoice.", "allocations")
    if wanted > -credit.outstanding:
        left = formatters.money(-credit.outstanding, credit.currency)
        raise CreditRefused(f"Only {left} of credit {credit.number} is left.")


def _check_target(credit: Invoice, invoice: Invoice, amount: Decimal) -> None:
    if (invoice.customer_id, invoice.currency) != (credit.customer_id, credit.currency):
        raise CreditRefused("A credit can pay invoices of its own customer and currency only.", "allocations")
    why = why_not_payable(invoice)
    if why:
        raise CreditRefused(why, "allocations")
    if not amount.is_finite() or amount <= 0 or rounded(amount, invoice.currency) != amount:
        raise CreditRefused(f"The amount must be more than zero, with the decimals of {invoice.currency}.")
    if amount > invoice.outstanding:
        owed = formatters.money(invoice.outstanding, invoice.currency)
        raise CreditRefused(f"The amount is more than the {owed} still owed on {invoice.number}.")


def _insert(actor: Actor, credit: Invoice, invoice: Invoice, amount: Decimal, on: date) -> None:
    row = CreditApplication(
        tenant_id=current_tenant_id(),
        credit_invoice_id=credit.id,
        invoice_id=invoice.id,
        amount=amount,
        applied_on=on,
        recorded_at=clock.now(),
        recorded_by_id=actor.user_id,
    )
    db.session.add(row)
    db.session.flush()
    _log(actor, "credit.applied", invoice, row)


def _log(actor: Actor, event: str, invoice: Invoice, row: CreditApplication) -> None:
    audit.record(
        actor,
        event,
        "invoice",
        invoice.id,
        amount=plain(row.amount, invoice.currency),
        currency=invoice.currency,
        credit_id=row.credit_invoice_id,
        application_id=row.id,
    )
