"""One effect per key: the first answer is kept with the key and replayed (for how long: portal/retention.py).

A key is claimed once, by whoever takes the request: page, API, upload or command line.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import IdempotencyKey

LONGEST_KEY = 255


class KeyReused(ValueError):
    """The key came before, with another body."""


def claim(scope: str, key: str, body: Mapping[str, Any]) -> IdempotencyKey:
    """The key's row: its `answer` is what the key led to before, None for its first time.

    A key that another transaction holds is waited for. Part of the caller's transaction: if that rolls back, the key
    was never used. Raises KeyReused.
    """
    fingerprint = hashlib.sha256(json.dumps(dict(body), sort_keys=True, default=str).encode()).digest()
    db.session.execute(
        insert(IdempotencyKey)
        .values(tenant_id=current_tenant_id(), scope=scope, key=key, fingerprint=fingerprint)
        .on_conflict_do_nothing()
    )
    row = db.session.scalars(
        select(IdempotencyKey)
        .where(
            IdempotencyKey.tenant_id == current_tenant_id(),
            IdempotencyKey.scope == scope,
            IdempotencyKey.key == key,
        )
        .execution_options(populate_existing=True)
    ).one()
    if bytes(row.fingerprint) != fingerprint:
        raise KeyReused("This key was already used for a different request. Use a new key for a new payment.")
    return row


def claim_form(form: str, key: str, typed: Mapping[str, str]) -> IdempotencyKey:
    """A page's form that is sent twice acts once, also when its first sending changed what is still owed.

    Raises KeyReused when the form now says something else.
    """
    return claim(f"form {form}", key, typed)


def keep(claimed: IdempotencyKey, **answer: Any) -> None:
    """Keeps what a key led to, in the transaction that did it."""
    claimed.status, claimed.answer = 201, answer
    db.session.flush()
