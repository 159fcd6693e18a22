"""Compares both sides again. No lease can stop a write that is already on the wire, so somebody has to look.

It never changes money and never writes to Autotask: what differs becomes due, and the delivery reads first.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select, update

from portal import connect, ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.autotask import conditions
from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError, BadRecord
from portal.extensions import db
from portal.models import Delivery, DeliveryState, Invoice
from portal.reconcile import locked, mirror, timing, transitions
from portal.reconcile.decide import Reading, reading_of
from portal.reconcile.store import clock_timestamp
from portal.reconcile.work import INVOICES

log = structlog.get_logger(__name__)
MOST = 2000


def compare_due() -> int:
    """Looks at what is due for a look, of the partner in scope; how many became due for delivery again.

    Safe to run twice and at the same time.
    """
    due = _take()
    integration = connect.current()
    db.session.commit()
    if not due or integration is None:
        return 0
    try:
        return connect.calling(integration.id, lambda client: _look_at(client, due), purpose="read")
    except AutotaskError as error:
        db.session.rollback()
        log.info("sweep.waits", reason=str(error))
        return 0


def _take() -> dict[int, int]:
    """Invoices due for a look, by Autotask id; they are this process's for five minutes."""
    now = clock_timestamp()
    due = (
        scoped(Delivery)
        .where(Delivery.look_at <= now, Delivery.state.in_((DeliveryState.CONFIRMED, DeliveryState.PARKED)))
        .order_by(Delivery.look_at)
        .limit(MOST)
        .with_for_update(skip_locked=True)
    )
    ids = [row.id for row in db.session.scalars(due)]
    db.session.execute(
        update(Delivery)
        .where(Delivery.tenant_id == current_tenant_id(), Delivery.id.in_(ids))
        .values(look_at=now + timing.COMPARING)
    )
    rows = db.session.execute(
        select(Invoice.autotask_id, Invoice.id)
        .join(Delivery, (Delivery.tenant_id == Invoice.tenant_id) & (Delivery.invoice_id == Invoice.id))
        .where(
            Delivery.tenant_id == current_tenant_id(), Delivery.id.in_(ids), Invoice.autotask_id.is_not(None)
        )
    )
    return {row.autotask_id or 0: row.id for row in rows}


def _look_at(client: Client, due: dict[int, int]) -> int:
    found = 0
    for readings in _pages(client, sorted(due)):
        found += _compare({due[key]: read for key, read in readings.items() if key in due})
    return found


def _pages(client: Client, autotask_ids: Sequence[int]) -> Iterator[dict[int, Reading]]:
    for condition in conditions.ids_in("id", autotask_ids):
        started_at = clock_timestamp()
        db.session.commit()
        for page in client.pages(INVOICES, condition):
            yield {item["id"]: read for item in page if (read := _readable(item, started_at))}


def _readable(item: dict[str, Any], started_at: datetime) -> Reading | None:
    try:
        return reading_of(item, started_at)
    except BadRecord as error:
        log.info("sweep.unreadable", reason=str(error))
        return None


def _compare(readings: dict[int, Reading]) -> int:
    """Takes the values over, and makes due what does not show the wish. One transaction a page."""
    invoices = mirror.lock(sorted(readings))
    ids = db.session.scalars(
        select(Delivery.id).where(
            Delivery.tenant_id == current_tenant_id(), Delivery.invoice_id.in_(list(invoices))
        )
    ).all()
    found = locked.lock(ids)
    known = mirror.write(invoices, {one.invoice_id: readings[one.invoice_id] for one in found.of.values()})
    news = [one for one in found.of.values() if one.invoice_id in known]
    for one in news:
        invoice, read = invoices[one.invoice_id].known, readings[one.invoice_id]
        found.keep(one, transitions.compare(one.held, invoice, read, found.now))
        found.plan(one)
    found.save()
    ledger.restate(sorted(invoices))
    db.session.commit()
    return sum(one.row.wish_version > one.before.wish_version for one in news)
