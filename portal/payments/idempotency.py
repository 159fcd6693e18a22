"""One effect per key: the first answer is kept with the key and replayed (for how long: portal/retention.py)."""

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import IdempotencyKey

LONGEST_KEY = 255


class KeyReused(ValueError):
    """The key came before, with another body."""


def claim(scope: str, key: str, body: dict[str, Any]) -> tuple[IdempotencyKey, bool]:
    """The key's row, and whether it is new. A key that another transaction holds is waited for.

    Part of the caller's transaction: if that rolls back, the key was never used. Raises KeyReused.
    """
    fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).digest()
    inserted = db.session.scalar(
        insert(IdempotencyKey)
        .values(tenant_id=current_tenant_id(), scope=scope, key=key, fingerprint=fingerprint)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.id)
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
    return row, inserted is not None
