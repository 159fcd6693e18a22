"""A form that is sent twice acts once, also when its first sending changed what is still owed."""

from collections.abc import Mapping
from typing import Any

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import IdempotencyKey
from portal.payments import idempotency


def first_answer(form: str, key: str, typed: Mapping[str, str]) -> dict[str, Any] | None:
    """What this form led to before; None for its first time. Waits for a sending that is under way.

    Raises KeyReused when the form now says something else. Part of the caller's transaction.
    """
    claimed, _ = idempotency.claim(f"form {form}", key, dict(typed))
    return claimed.answer


def remember(form: str, key: str, **answer: Any) -> None:
    """Keeps what a form led to, in the transaction that did it."""
    claimed = db.session.scalars(
        scoped(IdempotencyKey).where(IdempotencyKey.scope == f"form {form}", IdempotencyKey.key == key)
    ).one()
    claimed.status, claimed.answer = 201, answer
