"""One effect per key: the first answer is kept with the key and replayed (kept 30 days)."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped, tenant_scope
from portal.extensions import db, rows_written
from portal.models import IdempotencyKey, Tenant

KEPT = timedelta(days=30)
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


def forget_old() -> int:
    """Drops this partner's keys that are older than 30 days; how many."""
    return rows_written(
        delete(IdempotencyKey).where(
            IdempotencyKey.id.in_(
                scoped(IdempotencyKey)
                .with_only_columns(IdempotencyKey.id)
                .where(IdempotencyKey.created_at < clock.now() - KEPT)
            )
        )
    )


def forget_everywhere() -> int:
    """Drops the old keys of all partners, a transaction each; how many. Safe to run twice."""
    forgotten = 0
    for tenant_id in db.session.scalars(select(Tenant.id)).all():
        with tenant_scope(tenant_id):
            forgotten += forget_old()
            db.session.commit()
    return forgotten
