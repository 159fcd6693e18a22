"""When both sides of an invoice are compared: often while a write may still arrive, else seldom."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Delivery, DeliveryAttempt, DeliveryState

SOON, HOURLY, DAILY, WEEKLY = timedelta(seconds=30), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
PARKED_FIRST = timedelta(minutes=10)
FRESH, WATCHED = timedelta(days=7), timedelta(days=90)


def plan(delivery: Delivery, now: datetime) -> None:
    """Sets when the sweep looks next; never for what is on its way, because that is read anyway."""
    delivery.look_at = next_look(
        delivery.state, _open_since(delivery.id), delivery.confirmed_at, delivery.wished_at, now
    )


def next_look(
    state: str, open_since: datetime | None, confirmed_at: datetime | None, wished_at: datetime, now: datetime
) -> datetime | None:
    """`open_since`: when the newest write began of which we do not know whether it arrived."""
    if state not in (DeliveryState.CONFIRMED, DeliveryState.PARKED):
        return None
    if open_since is not None:
        return now + min(max((now - open_since) / 2, SOON), HOURLY)
    if state == DeliveryState.PARKED:
        return now + min(max((now - wished_at) / 2, PARKED_FIRST), DAILY)
    age = now - (confirmed_at or wished_at)
    if age >= WATCHED:
        return None
    return now + (DAILY if age < FRESH else WEEKLY)


def _open_since(delivery_id: int) -> datetime | None:
    return db.session.scalar(
        select(func.max(DeliveryAttempt.started_at)).where(
            DeliveryAttempt.tenant_id == current_tenant_id(),
            DeliveryAttempt.delivery_id == delivery_id,
            DeliveryAttempt.may_land_until.is_not(None),
        )
    )
