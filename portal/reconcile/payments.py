"""Recording and deleting payments. Payment, wish for Autotask and audit event are one transaction (rule 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select

from portal import clock, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.models import Allocation, Invoice, InvoiceStatus, Payment, PaymentMethod
from portal.money import plain, rounded
from portal.reconcile import idempotency

EARLIEST = date(1990, 1, 1)
LATEST_AHEAD = timedelta(days=366)
LONGEST_TEXT = 500


class PaymentRefused(ValueError):
    """The payment is not taken, and nothing was stored. `field` names the input at fault."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class AlreadyDeleted(PaymentRefused):
    """The payment is gone: by an earlier try of the same request, or by somebody else."""


@dataclass(frozen=True)
class NewPayment:
    """What is to be recorded: (invoice id, amount) pairs of one customer and currency."""

    allocations: Sequence[tuple[int, Decimal]]
    method: str
    paid_on: date
    reference: str = ""
    note: str = ""
    body: dict[str, object] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        body = {
            "allocations": sorted(
                (invoice_id, format(amount.normalize(), "f")) for invoice_id, amount in self.allocations
            ),
            "method": self.method,
            "paid_on": self.paid_on.isoformat(),
            "reference": self.reference,
            "note": self.note,
        }
        object.__setattr__(self, "body", body)


def record(actor: Actor, new: NewPayment, *, scope: str, key: str) -> tuple[Payment, bool]:
    """The payment, and whether it was recorded just now; the same key again gives the first one.

    Raises PaymentRefused, and KeyReused for the same key with another body. The caller commits.
    """
    check_form(new, key)
    claimed, is_new = idempotency.claim(scope, key, new.body)
    if not is_new and claimed.answer:
        return db.session.get_one(Payment, (current_tenant_id(), claimed.answer["payment_id"])), False
    invoices = _payable(new)
    payment = add(actor, new, invoices)
    claimed.status, claimed.answer = 201, {"payment_id": payment.id}
    ledger.restate([invoice.id for invoice in invoices])
    return payment, True


def add(actor: Actor, new: NewPayment, invoices: Sequence[Invoice]) -> Payment:
    """Writes a payment with its audit event. The caller has locked and checked the invoices, and restates them."""
    payment = _insert(actor, new, list(invoices))
    audit.record(
        actor,
        "payment.recorded",
        "payment",
        payment.id,
        amount=plain(payment.amount, payment.currency),
        currency=payment.currency,
        **new.body,
    )
    return payment


def delete(actor: Actor, payment_id: int, reason: str) -> Payment:
    """Deletes a payment with a reason; its invoices are open again by its amounts.

    Raises PaymentRefused when there is no reason, AlreadyDeleted. The caller commits.
    """
    if not reason.strip():
        raise PaymentRefused("Say why the payment is deleted.", "reason")
    payment = find_or_404(Payment, payment_id)
    invoice_ids = [allocation.invoice_id for allocation in payment.allocations]
    ledger.lock_invoices(invoice_ids)
    db.session.refresh(payment, with_for_update={"of": Payment})
    if payment.deleted_at is not None:
        raise AlreadyDeleted("This payment was already deleted.")
    payment.deleted_at, payment.deleted_by_id = clock.now(), actor.user_id
    payment.deleted_reason = reason.strip()[:LONGEST_TEXT]
    ledger.restate(invoice_ids)
    audit.record(
        actor,
        "payment.deleted",
        "payment",
        payment.id,
        amount=plain(payment.amount, payment.currency),
        currency=payment.currency,
        reason=payment.deleted_reason,
    )
    return payment


def check_form(new: NewPayment, key: str) -> None:
    """What can be said without the invoices. Raises PaymentRefused."""
    if not 0 < len(key) <= idempotency.LONGEST_KEY:
        raise PaymentRefused("Give the payment a key of at most 255 characters.", "key")
    if not new.allocations:
        raise PaymentRefused("Choose at least one invoice to pay.", "allocations")
    if len({invoice_id for invoice_id, _ in new.allocations}) != len(new.allocations):
        raise PaymentRefused("An invoice appears twice in this payment.", "allocations")
    if new.method not in set(PaymentMethod):
        raise PaymentRefused("Choose how the money was paid.", "method")
    if not EARLIEST <= new.paid_on <= clock.now().date() + LATEST_AHEAD:
        raise PaymentRefused("This date cannot be right. Use the day the money was paid.", "paid_on")
    if max(len(new.reference), len(new.note)) > LONGEST_TEXT:
        raise PaymentRefused(f"Use at most {LONGEST_TEXT} characters.", "reference")


def _payable(new: NewPayment) -> list[Invoice]:
    """The invoices, locked, after every check that needs them."""
    ids = [invoice_id for invoice_id, _ in new.allocations]
    ledger.lock_invoices(ids)
    found = db.session.scalars(
        scoped(Invoice)
        .where(Invoice.id.in_(ids))
        .order_by(Invoice.id)
        .execution_options(populate_existing=True)
    ).all()
    if len(found) != len(ids):
        raise PaymentRefused("One of these invoices does not exist.", "allocations")
    if len({invoice.customer_id for invoice in found}) > 1:
        raise PaymentRefused("A payment can pay invoices of one customer only.", "allocations")
    if len({invoice.currency for invoice in found}) > 1:
        raise PaymentRefused("A payment can pay invoices of one currency only.", "allocations")
    amounts = dict(new.allocations)
    for invoice in found:
        _check_invoice(invoice, amounts[invoice.id])
    return list(found)


def _check_invoice(invoice: Invoice, amount: Decimal) -> None:
    refusal = why_not_payable(invoice)
    if refusal:
        raise PaymentRefused(refusal, "allocations")
    if not amount.is_finite() or amount <= 0:
        raise PaymentRefused("The amount must be more than zero.", "amount")
    if amount >= Decimal(10) ** 11 or rounded(amount, invoice.currency) != amount:
        raise PaymentRefused(f"The amount has more digits than {invoice.currency} has.", "amount")
    if amount > invoice.outstanding:
        owed = plain(invoice.outstanding, invoice.currency)
        raise PaymentRefused(
            f"The amount is more than the {owed} {invoice.currency} still owed on invoice {invoice.number}.",
            "amount",
        )


def why_not_payable(invoice: Invoice) -> str | None:
    """The sentence why an invoice takes no payment, or None when it does."""
    if invoice.status == InvoiceStatus.VOIDED:
        return f"Invoice {invoice.number} is voided. It takes no payment."
    if invoice.status == InvoiceStatus.CREDIT:
        return f"{invoice.number} is a credit. It is not payable."
    if invoice.archived_at is not None:
        return f"Invoice {invoice.number} is archived. Restore it before recording a payment."
    if invoice.status == InvoiceStatus.PAID:
        settled = "settled in Autotask" if invoice.settled_amount else "paid"
        return f"Invoice {invoice.number} is already {settled}. Nothing is owed on it."
    return None


def _insert(actor: Actor, new: NewPayment, invoices: list[Invoice]) -> Payment:
    tenant_id = current_tenant_id()
    payment = Payment(
        tenant_id=tenant_id,
        customer_id=invoices[0].customer_id,
        currency=invoices[0].currency,
        amount=sum((amount for _, amount in new.allocations), Decimal(0)),
        method=new.method,
        paid_on=new.paid_on,
        reference=new.reference.strip(),
        note=new.note.strip(),
        recorded_at=clock.now(),
        recorded_by_id=actor.user_id,
    )
    db.session.add(payment)
    db.session.flush()
    db.session.add_all(
        Allocation(tenant_id=tenant_id, payment_id=payment.id, invoice_id=invoice_id, amount=amount)
        for invoice_id, amount in new.allocations
    )
    db.session.flush()
    return payment


def invoice_by_autotask_id(autotask_id: int) -> Invoice | None:
    """The partner's invoice with this Autotask id."""
    return db.session.scalar(scoped(Invoice).where(Invoice.autotask_id == autotask_id))


def open_invoices(customer_id: int, currency: str) -> Sequence[Invoice]:
    """A customer's payable invoices of one currency, oldest due first."""
    return db.session.scalars(
        scoped(Invoice)
        .where(
            Invoice.customer_id == customer_id,
            Invoice.currency == currency,
            Invoice.status.in_((InvoiceStatus.OPEN, InvoiceStatus.PART_PAID)),
            Invoice.archived_at.is_(None),
        )
        .order_by(Invoice.due_on.asc().nulls_last(), Invoice.id)
    ).all()


def payments_of(invoice_id: int) -> Sequence[Payment]:
    """All payments of an invoice, deleted ones included, newest first."""
    return db.session.scalars(
        select(Payment)
        .join(Allocation, (Allocation.tenant_id == Payment.tenant_id) & (Allocation.payment_id == Payment.id))
        .where(Payment.tenant_id == current_tenant_id(), Allocation.invoice_id == invoice_id)
        .order_by(Payment.id.desc())
    ).all()
