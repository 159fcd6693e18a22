"""A payment from the JSON API, and what becomes of it: the first answer is kept with its key for 30 days (rule 5.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.access.actor import Actor
from portal.models import Payment
from portal.payments import idempotency, life, recording
from portal.payments.life import NewEvent
from portal.payments.recording import NewPayment

SCOPE = "api payments"
SCOPE_OF_EVENTS = "api payment events"
LONGEST_KEY = 200


class RecordedByAnother(ValueError):
    """It was recorded with another API key, and this one may not read; `payment_id` is which."""

    def __init__(self, payment_id: int) -> None:
        super().__init__(
            "This was recorded before, with another API key, and not a second time. This key may not read it."
        )
        self.payment_id = payment_id


@dataclass(frozen=True)
class Caller:
    """The API key that asks."""

    key_id: int
    may_read: bool


def record(
    actor: Actor,
    new: NewPayment,
    sent: dict[str, Any],
    key: str,
    tell: Callable[[Payment], dict[str, Any]],
    caller: Caller,
) -> tuple[dict[str, Any], bool]:
    """The answer's body as `tell` puts it, and whether it is a replay of the first one.

    Raises PaymentRefused, KeyReused for the same key with another body, and RecordedByAnother. The caller commits.
    """
    return _once(SCOPE, key, sent, tell, caller, lambda keep: recording.record(actor, new, keep))


def happen(
    actor: Actor,
    payment_id: int,
    new: NewEvent,
    sent: dict[str, Any],
    key: str,
    tell: Callable[[Payment], dict[str, Any]],
    caller: Caller,
) -> tuple[dict[str, Any], bool]:
    """The same for what became of a payment. Raises NotFound too."""
    about = {"payment_id": payment_id, "sent": sent}
    return _once(
        SCOPE_OF_EVENTS, key, about, tell, caller, lambda keep: life.happen(actor, payment_id, new, keep)
    )


def _once(
    scope: str,
    key: str,
    sent: dict[str, Any],
    tell: Callable[[Payment], dict[str, Any]],
    caller: Caller,
    do: Callable[[Callable[[Payment], None]], Payment],
) -> tuple[dict[str, Any], bool]:
    claimed = idempotency.claim(scope, key, sent)
    if claimed.answer:
        if claimed.api_key_id != caller.key_id and not caller.may_read:
            raise RecordedByAnother(claimed.answer["id"])
        return claimed.answer, True

    def keep(payment: Payment) -> None:
        claimed.api_key_id = caller.key_id
        idempotency.keep(claimed, **tell(payment))

    do(keep)
    assert claimed.answer is not None
    return claimed.answer, False
