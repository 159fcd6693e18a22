"""Recording and deleting payments. Payment, wish for Autotask and audit event are one transaction (rule 5.3)."""

from collections.abc import Callable, Sequence

from sqlalchemy import insert

from portal import clock, ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.models import Allocation, IdempotencyKey, Invoice, Payment, Tenant
from portal.money import LARGEST, plain
from portal.payments import idempotency
from portal.payments.rules import (
    LONGEST_TEXT,
    AlreadyDeleted,
    NewPayment,
    OldDay,
    PaymentRefused,
    check_day,
    check_form,
    check_invoice,
    why_not_payable,
)

__all__ = [
    "AlreadyDeleted", "NewPayment", "OldDay", "PaymentRefused", "add", "check_day", "check_form", "delete", "record", "record_once",
    "why_not_payable",
]  # fmt: skip


def record(actor: Actor, new: NewPayment, keep: Callable[[Payment], None] | None = None) -> Payment:
    """Records a payment. Not safe to run twice: whoever asks claims a key first, and `keep` writes the key's answer.

    Raises PaymentRefused. The caller commits.
    """
    check_form(new)
    check_day(new.paid_on, old_confirmed=new.old_day_confirmed)
    invoices = _payable(new)
    payment = add(actor, new, invoices)
    ledger.restate([invoice.id for invoice in invoices])
    if keep is not None:
        keep(payment)
    tell(actor, new, payment)
    return payment


def record_once(actor: Actor, new: NewPayment, claimed: IdempotencyKey) -> Payment:
    """The payment of a claimed key: recorded now, or the one of its first time. Raises PaymentRefused."""
    if claimed.answer:
        return db.session.get_one(Payment, (current_tenant_id(), claimed.answer["payment_id"]))
    return record(actor, new, lambda payment: idempotency.keep(claimed, payment_id=payment.id))


def tell(actor: Actor, new: NewPayment, payment: Payment) -> None:
    """Writes the audit event, last: until the commit it keeps all others of the partner from writing theirs."""
    audit.record(
        actor,
        "payment.recorded",
        "payment",
        payment.id,
        amount=plain(payment.amount, payment.currency),
        currency=payment.currency,
        **new.body,
    )


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
    told = {"amount": plain(payment.amount, payment.currency), "currency": payment.currency}
    audit.record(actor, "payment.deleted", "payment", payment.id, **told, reason=payment.deleted_reason)
    return payment


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
        check_invoice(invoice, amounts[invoice.id])
    if new.amount > LARGEST:
        raise PaymentRefused("This is more money than one payment can hold. Record several.", "allocations")
    return list(found)


def add(actor: Actor, new: NewPayment, invoices: Sequence[Invoice]) -> Payment:
    """Writes a payment. The caller has locked and checked the invoices, restates them, and then tells of it."""
    tenant_id = current_tenant_id()
    held_methods = db.session.get_one(Tenant, tenant_id).held_methods
    payment = Payment(
        tenant_id=tenant_id,
        customer_id=invoices[0].customer_id,
        currency=invoices[0].currency,
        amount=new.amount,
        method=new.method,
        paid_on=new.paid_on,
        reference=new.reference.strip(),
        note=new.note.strip(),
        recorded_at=clock.now(),
        recorded_by_id=actor.user_id,
        pending=new.pending,
        held=new.pending and new.method in held_methods,
    )
    db.session.add(payment)
    db.session.flush()
    parts = [
        {"tenant_id": tenant_id, "payment_id": payment.id, "invoice_id": invoice_id, "amount": amount}
        for invoice_id, amount in new.allocations
    ]
    db.session.execute(insert(Allocation).values(parts))
    return payment


def invoice_by_autotask_id(autotask_id: int) -> Invoice | None:
    """The partner's invoice with this Autotask id."""
    return db.session.scalar(scoped(Invoice).where(Invoice.autotask_id == autotask_id))
