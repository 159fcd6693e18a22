"""K1: which deliveries are taken next, and by which token. What a dead worker left is taken alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import case, func, select

from portal.access.tenancy import current_tenant_id
from portal.database import claims
from portal.extensions import db
from portal.models import Delivery
from portal.reconcile import delivery_row, locked, timing
from portal.reconcile.failures import SHARED
from portal.reconcile.locked import Locked, Locks
from portal.reconcile.work import Claim

log = structlog.get_logger(__name__)


def take(most: int, only_id: int | None = None) -> list[Claim]:
    """So many at most of those that are due longest, under leases of their own. Commits."""
    rows = db.session.execute(_due(func.clock_timestamp(), only_id).limit(most)).all()
    claimed = list[Claim]()
    if rows:
        taken = _together(rows)
        found = locked.lock([row.id for row in taken])
        claimed = [_claim(found, found.of[row.id], row.server) for row in taken]
        found.save()
    db.session.commit()
    return claimed


def _due(now: Any, only_id: int | None) -> Any:
    left = Delivery.lease_token.is_not(None).label("is_left")
    query = select(Delivery.id, left, claims.SERVER.label("server")).where(
        Delivery.tenant_id == current_tenant_id(), timing.due(now)
    )
    if only_id is not None:
        query = query.where(Delivery.id == only_id)
    # What failed by itself waits behind the others; while Autotask is away, the same one asks each time.
    tried = case(((Delivery.attempts > 0) & Delivery.error_kind.not_in(SHARED), 1), else_=0)
    # What two died of in a row waits behind all.
    deadly = Delivery.lease_token.regexp_match("^[1-9][0-9]*-").is_(True)
    query = query.order_by(deadly, tried, Delivery.next_try_at, Delivery.id)
    return query.with_for_update(skip_locked=True, of=Delivery)


def _together(rows: Sequence[Any]) -> Sequence[Any]:
    """Those that are taken together: what a dead worker left is taken alone, so that nothing else dies with it."""
    alone = next((number for number, row in enumerate(rows) if row.is_left), len(rows))
    return rows[: max(alone, 1)]


def _claim(found: Locks, one: Locked, server: str) -> Claim:
    died = claims.deaths(one.row.lease_token, server)
    if died:
        log.warning("delivery.worker_died", delivery_id=one.id, deaths=died)
    token = claims.take(Delivery, one.id, server, died)
    claim = Claim(
        delivery_id=one.id,
        invoice_id=one.invoice_id,
        autotask_id=one.autotask_id,
        token=token,
        version=one.row.wish_version,
        wish_paid_on=one.row.wish_paid_on,
        marks=one.held.marks,
        known=one.known,
    )
    row = delivery_row.claimed(one.row, token, found.now)
    if died and row.lease_until is not None:
        row = replace(row, lease_until=row.lease_until + claims.longer(died))
    found.keep(one, replace(one.held, row=row))
    return claim
