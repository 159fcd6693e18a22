"""What may happen to a delivery's row, as pure functions from one row to the next.

The store applies them under the row's lock; a test enumerates their interleavings.
"""

import random
from dataclasses import dataclass, replace
from datetime import date, datetime

from portal.models import DeliveryState
from portal.reconcile import timing
from portal.reconcile.failures import Failure


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


def claimed(row: Row, token: str, now: datetime) -> Row:
    """K1: taken for 90 seconds."""
    return replace(row, state=DeliveryState.SENDING, lease_token=token, lease_until=now + timing.LEASE)


def may_send(row: Row, token: str, version: int, now: datetime) -> bool:
    """K3: still ours, still the same wish, and time enough for one write."""
    held = row.lease_token == token and row.lease_until is not None
    return bool(held and row.wish_version == version and row.lease_until - now >= timing.LEAST_LEFT)  # type: ignore[operator]


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
    failure: Failure,
    now: datetime,
    jitter: timing.Jitter = random.uniform,
) -> Row:
    """A try that did not end well: tried again after a pause, or parked."""
    if row.lease_token != token:
        return overtaken(row, now) if failure.maybe_applied else row
    said = replace(row, error_kind=failure.kind, error=failure.sentence)
    if row.wish_version > version:
        return replace(_ended(row, state=DeliveryState.WAITING, next_try_at=now), attempts=row.attempts)
    if failure.final or failure.aside:
        return _parked(said, None)
    if not failure.counts:
        return _waiting(said, now + timing.pause(row.attempts, failure.pause, jitter))
    tried = replace(said, attempts=row.attempts + 1)
    again = now + timing.pause(row.attempts, failure.pause, jitter)
    return _parked(tried, again) if tried.attempts >= timing.MAX_TRIES else _waiting(tried, again)


def looked_for(row: Row, now: datetime) -> Row:
    """Somebody shall look again at an invoice whose delivery was done or parked."""
    again = replace(row, wish_version=row.wish_version + 1, attempts=0, error=None, error_kind=None)
    if row.state == DeliveryState.SENDING:
        return again
    return replace(again, state=DeliveryState.WAITING, next_try_at=now)


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
