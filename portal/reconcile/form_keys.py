"""A form that is sent twice records one payment, also when the first sending changed what is still owed."""

from collections.abc import Mapping

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import IdempotencyKey, Payment
from portal.reconcile import idempotency

SCOPE = "form"


def replayed(key: str, typed: Mapping[str, str]) -> Payment | None:
    """The payment that this form recorded before; None for its first time. Waits for one under way.

    Raises KeyReused when the form now says something else. Part of the caller's transaction.
    """
    claimed, _ = idempotency.claim(SCOPE, key, dict(typed))
    if not claimed.answer:
        return None
    return db.session.get_one(Payment, (current_tenant_id(), claimed.answer["payment_id"]))


def remember(key: str, payment: Payment) -> None:
    """Keeps the payment as the answer to this form's key, in the transaction that records it."""
    claimed = db.session.scalars(
        scoped(IdempotencyKey).where(IdempotencyKey.scope == SCOPE, IdempotencyKey.key == key)
    ).one()
    claimed.status, claimed.answer = 201, {"payment_id": payment.id}
