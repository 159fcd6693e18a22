"""What a person can do about a delivery that is stuck or was undone in Autotask.

The caller commits, then rings.
"""

from portal import queue
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, find_or_404, scoped
from portal.extensions import db
from portal.models import Delivery, DeliveryState
from portal.reconcile import delivery_row, locked, mirror
from portal.reconcile.delivery_row import Row
from portal.reconcile.store import clock_timestamp


class NotRetryable(ValueError):
    """The delivery does not stand where this helps; str() says so."""


def retry(actor: Actor, delivery_id: int) -> Delivery:
    """Makes a delivery due now, stuck or not: Autotask is read first. Raises NotFound, NotRetryable."""
    delivery = _held(delivery_id)
    if delivery.state == DeliveryState.SENDING:
        raise NotRetryable("This delivery is on its way just now.")
    if delivery.state == DeliveryState.CLOSED:
        raise NotRetryable(
            "The invoice was archived because it is not in Autotask. Take it out of the archive first."
        )
    return _again(actor, delivery, "delivery.retried")


def retry_all(actor: Actor) -> list[int]:
    """Makes every stuck delivery of the partner due now; their ids. Pressed twice, the second finds none."""
    parked = scoped(Delivery).where(Delivery.state == DeliveryState.PARKED).order_by(Delivery.invoice_id)
    ids = db.session.scalars(parked.with_only_columns(Delivery.id)).all()
    held = [_held(delivery_id) for delivery_id in ids]
    still = [delivery for delivery in held if delivery.state == DeliveryState.PARKED]
    return [_again(actor, delivery, "delivery.retried").id for delivery in still]


def send_again(actor: Actor, delivery_id: int) -> Delivery:
    """Marks the invoice as paid once more, although somebody in Autotask took the mark away (rule 5.9)."""
    delivery = _held(delivery_id)
    if delivery.wish_paid_on is None:
        raise NotRetryable("The invoice is not fully paid here, so there is no paid date to send.")
    delivery.shown_on = None
    return _again(actor, delivery, "delivery.sent_again")


def clear_theirs(actor: Actor, delivery_id: int) -> Delivery:
    """Clears a paid date that Autotask's people set, because a person here decided so."""
    delivery = _held(delivery_id)
    theirs = delivery.invoice.autotask_paid_on
    if delivery.wish_paid_on is not None or theirs is None:
        raise NotRetryable("There is no paid date in Autotask to clear.")
    delivery.our_mark_on = theirs
    return _again(actor, delivery, "delivery.took_over", paid_on=theirs.isoformat())


def keep_theirs(actor: Actor, delivery_id: int) -> Delivery:
    """Leaves the invoice as paid in Autotask: what is open here counts as settled there."""
    delivery = _held(delivery_id)
    if delivery.wish_paid_on is not None:
        raise NotRetryable("The invoice is fully paid here; there is nothing to keep.")
    delivery.our_mark_on = delivery.shown_on = None
    return _again(actor, delivery, "delivery.left_to_autotask")


def ring() -> None:
    """After the commit: a worker shall look at the deliveries of the partner in scope."""
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", current_tenant_id())


def _held(delivery_id: int) -> Delivery:
    """The delivery, locked after its invoice."""
    delivery = find_or_404(Delivery, delivery_id)
    mirror.lock([delivery.invoice_id])
    db.session.refresh(delivery, with_for_update={"of": Delivery})
    return delivery


def _again(actor: Actor, delivery: Delivery, event: str, **details: str) -> Delivery:
    if delivery.invoice.autotask_id is None:
        raise NotRetryable(
            "The match with Autotask's invoice was taken back, so there is nothing to tell it."
        )
    before = {"state": delivery.state, "error_kind": delivery.error_kind}
    row = Row(**{name: getattr(delivery, name) for name in locked.COLUMNS})
    after = delivery_row.looked_for(row, clock_timestamp())
    for name in locked.COLUMNS:
        if getattr(after, name) != getattr(row, name):
            setattr(delivery, name, getattr(after, name))
    db.session.flush()
    audit.record(actor, event, "delivery", delivery.id, invoice_id=delivery.invoice_id, **before, **details)
    return delivery
