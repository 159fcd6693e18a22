"""A payment from the JSON API: the first answer is kept with its key, and is the answer for 30 days (rule 5.2)."""

from collections.abc import Callable
from typing import Any

from portal.access.actor import Actor
from portal.extensions import db
from portal.models import Payment
from portal.reconcile import idempotency, payments
from portal.reconcile.payments import NewPayment

SCOPE = "api payments"
LONGEST_KEY = 200


def record(
    actor: Actor, new: NewPayment, sent: dict[str, Any], key: str, tell: Callable[[Payment], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """The answer's body as `tell` puts it, and whether it is a replay of the first one.

    Raises PaymentRefused, and KeyReused for the same key with another body. The caller commits.
    """
    claimed, _ = idempotency.claim(SCOPE, key, sent)
    if claimed.answer:
        return claimed.answer, True
    payment, _ = payments.record(actor, new, scope="payment", key=f"api:{key}")
    claimed.status, claimed.answer = 201, tell(payment)
    db.session.flush()
    return claimed.answer, False
