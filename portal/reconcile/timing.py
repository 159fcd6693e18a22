"""All times of a delivery: its lease, its pauses, how often it is tried, and when it is due."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_

from portal.models import Delivery, DeliveryState

LEASE = timedelta(seconds=90)
LEAST_LEFT = timedelta(seconds=30)  # of the lease, before a write begins: it ends within 20 s
SEND_WITHIN = timedelta(
    seconds=15
)  # from the promise to send, so that 15 s are left for a write that is on its way
MAY_LAND = timedelta(hours=24)
COMPARING = timedelta(minutes=5)  # so long a comparison is one process's own: another may look when it died

MAX_TRIES = 12
LONGEST_PAUSE = 240.0  # promised: all delivered within five minutes after Autotask is back
UNKNOWN_PAUSE = 30.0
NOT_TAKEN_PAUSE = 1.0
THROTTLED_PAUSE = 60.0
LOGIN_PAUSE = 60.0
WITHOUT_A_TRY_PAUSE = 30.0

Jitter = Callable[[float, float], float]


def pause(attempts: int, asked: float | None, jitter: Jitter) -> timedelta:
    """Full jitter up to a doubling bound, on top of the seconds that Autotask asks for."""
    bound = min(2.0 ** min(attempts, 16), LONGEST_PAUSE)
    if asked is not None:
        return timedelta(seconds=asked + jitter(0.0, min(bound, 5.0)))
    return timedelta(seconds=jitter(0.0, bound))


def is_due(row: Any, now: datetime) -> bool:
    """Whether its time has come and nobody is at work on it.

    A parked row with a next try goes on by itself: it waits for Autotask to come back.
    """
    free = row.lease_until is None or row.lease_until < now
    time_has_come = row.state == DeliveryState.SENDING or (
        row.next_try_at is not None and row.next_try_at <= now
    )
    return row.state != DeliveryState.CONFIRMED and free and time_has_come


def due(now: Any, of: Any = Delivery) -> Any:
    """is_due() as a condition on deliveries; a test holds the two to each other."""
    free = or_(of.lease_until.is_(None), of.lease_until < now)
    time_has_come = or_(of.state == DeliveryState.SENDING, of.next_try_at <= now)
    return and_(of.state != DeliveryState.CONFIRMED, free, time_has_come)
