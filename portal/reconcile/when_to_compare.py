"""When both sides of an invoice are compared: often while a write may still arrive, else seldom."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from portal.models import DeliveryState
from portal.reconcile.attempts import Attempt
from portal.reconcile.delivery_row import Row

SOON, HOURLY, DAILY, WEEKLY = timedelta(seconds=30), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
PARKED_FIRST = timedelta(minutes=10)
FRESH, WATCHED = timedelta(days=7), timedelta(days=90)


def planned(row: Row, wished_at: datetime, writes: Sequence[Attempt], now: datetime) -> datetime | None:
    """When the sweep looks next; never for what is on its way, because that is read anyway."""
    open_since = max((one.started_at for one in writes if one.may_land_until is not None), default=None)
    return next_look(row.state, open_since, row.confirmed_at, wished_at, now)


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
