"""What may happen to a delivery's row, as pure functions from one row to the next.

The store applies them under the row's lock; a test enumerates their interleavings.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from portal.models import DeliveryState

LEASE = timedelta(seconds=90)
LEAST_LEFT = timedelta(seconds=30)  # a write ends within 20 s
MAY_LAND = timedelta(hours=24)
LONGEST_PAUSE = 240.0  # promised: all delivered within five minutes after Autotask is back
UNKNOWN_PAUSE = 30.0
MAX_TRIES = 12


@dataclass(frozen=True)
class Row:
    """A delivery as the protocol sees it; the fields are the table's columns."""

    wish_paid_on: date | None
    wish_version: int = 1
    done_version: int = 0
    our_mark_on: date | None = None
    shown_on: date | None = None
    state: str = DeliveryState.WAITING
    attempts: int = 0
    next_try_at: datetime | None = None
    lease_token: str | None = None
    lease_until: datetime | None = None
    error_kind: str | None = None
    error: str | None = None
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True)
class Trouble:
    """Why a try did not end well. `counts` is false where a limit or our login is the reason."""

    kind: str
    sentence: str
    final: bool = False
    counts: bool = True
    pause: float | None = None
    maybe_applied: bool = False


def is_due(row: Row, now: datetime) -> bool:
    """A parked row with a next try goes on by itself: it waits for Autotask to come back."""
    if row.lease_until is not None and row.lease_until >= now:
        return False
    if row.state == DeliveryState.SENDING:
        return True
    return row.state != DeliveryState.CONFIRMED and row.next_try_at is not None and row.next_try_at <= now


def claimed(row: Row, token: str, now: datetime) -> Row:
    """K1: taken for 90 seconds."""
    return replace(row, state=DeliveryState.SENDING, lease_token=token, lease_until=now + LEASE)


def may_send(row: Row, token: str, version: int, now: datetime) -> bool:
    """K3: still ours, still the same wish, and time enough for one write."""
    held = row.lease_token == token and row.lease_until is not None
    return bool(held and row.wish_version == version and row.lease_until - now >= LEAST_LEFT)  # type: ignore[operator]


def begun(row: Row, mark_on: date | None, now: datetime) -> Row:
    """K4: from here on `mark_on` may appear in Autotask, and would be ours."""
    return replace(row, our_mark_on=mark_on or row.our_mark_on, sent_at=now)


def taken_back(row: Row, token: str, mark_on: date | None, before: date | None) -> Row:
    """What was begun was certainly not written: the mark before it counts again."""
    if row.lease_token != token or row.our_mark_on != mark_on:
        return row
    return replace(row, our_mark_on=before)


def released(row: Row, token: str, now: datetime, *, sent: bool = False) -> Row:
    """Given back without a result, for instance because the wish changed meanwhile."""
    if row.lease_token != token:
        return overtaken(row, now) if sent else row
    return _ended(row, state=DeliveryState.WAITING, next_try_at=now)


def settled(row: Row, token: str, version: int, marks: tuple[date | None, date | None], now: datetime) -> Row:
    """K6: what was read back answers the wish `version`. `marks` are our_mark_on and shown_on from now on."""
    if row.lease_token != token:
        return overtaken(row, now)
    done = replace(
        row, done_version=max(row.done_version, version), our_mark_on=marks[0], shown_on=marks[1], attempts=0
    )
    if row.wish_version > version:
        return _ended(done, state=DeliveryState.WAITING, next_try_at=now)
    return _ended(done, state=DeliveryState.CONFIRMED, next_try_at=None, confirmed_at=now)


def overtaken(row: Row, now: datetime) -> Row:
    """Our lease was lost before we settled; what we sent may be the older value: somebody looks again."""
    looked_at = replace(row, wish_version=row.wish_version + 1)
    if row.state == DeliveryState.SENDING:
        return looked_at
    return replace(looked_at, state=DeliveryState.WAITING, next_try_at=now)


def failed(
    row: Row,
    token: str,
    version: int,
    trouble: Trouble,
    now: datetime,
    jitter: Callable[[float, float], float] = random.uniform,
) -> Row:
    """A try that did not end well: tried again after a pause, or parked."""
    if row.lease_token != token:
        return overtaken(row, now) if trouble.maybe_applied else row
    said = replace(row, error_kind=trouble.kind, error=trouble.sentence)
    if row.wish_version > version:
        return replace(_ended(row, state=DeliveryState.WAITING, next_try_at=now), attempts=row.attempts)
    if trouble.final:
        return _parked(said, None)
    if not trouble.counts:
        return _waiting(said, now + _pause(row.attempts, trouble, jitter))
    tried = replace(said, attempts=row.attempts + 1)
    again = now + _pause(row.attempts, trouble, jitter)
    return _parked(tried, again) if tried.attempts >= MAX_TRIES else _waiting(tried, again)


def looked_for(row: Row, now: datetime) -> Row:
    """Somebody shall look again at an invoice whose delivery was done or parked."""
    again = replace(row, wish_version=row.wish_version + 1, attempts=0, error=None, error_kind=None)
    if row.state == DeliveryState.SENDING:
        return again
    return replace(again, state=DeliveryState.WAITING, next_try_at=now)


def _pause(attempts: int, trouble: Trouble, jitter: Callable[[float, float], float]) -> timedelta:
    """Full jitter up to a doubling bound, on top of what Autotask asks for."""
    bound = min(2.0 ** min(attempts, 16), LONGEST_PAUSE)
    if trouble.pause is not None:
        return timedelta(seconds=trouble.pause + jitter(0.0, min(bound, 5.0)))
    return timedelta(seconds=jitter(0.0, bound))


def _ended(
    row: Row, *, state: str, next_try_at: datetime | None, confirmed_at: datetime | None = None
) -> Row:
    return replace(
        row,
        state=state,
        next_try_at=next_try_at,
        confirmed_at=confirmed_at or row.confirmed_at,
        lease_token=None,
        lease_until=None,
        error=None,
        error_kind=None,
    )


def _waiting(row: Row, again: datetime) -> Row:
    return replace(row, state=DeliveryState.WAITING, next_try_at=again, lease_token=None, lease_until=None)


def _parked(row: Row, again: datetime | None) -> Row:
    return replace(row, state=DeliveryState.PARKED, next_try_at=again, lease_token=None, lease_until=None)
