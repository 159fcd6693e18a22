"""Our writes to one invoice, and which of them may still arrive without us having seen it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from portal.models import AttemptOutcome
from portal.reconcile.decide import Reading


@dataclass(frozen=True)
class Try:
    """One write of ours. `is_open`: it may still arrive, or has arrived without us having seen it."""

    id: int
    wrote: date | None
    outcome: str = AttemptOutcome.STARTED
    is_open: bool = True
    finished_at: datetime | None = None


Tries = tuple[Try, ...]


def strays(tries: Sequence[Try]) -> frozenset[date | None]:
    """Values that writes of ours may still bring."""
    return frozenset(one.wrote for one in tries if one.is_open)


def ended(tries: Tries, id: int | None, outcome: AttemptOutcome, now: datetime, *, is_open: bool) -> Tries:
    """The tries with this one closed, or still watched."""
    return tuple(
        replace(one, outcome=outcome, is_open=is_open, finished_at=now) if one.id == id else one
        for one in tries
    )


def accounted(tries: Tries, read: Reading, expected: date | None) -> Tries:
    """The tries after a read: what it accounts for needs no more watching.

    `expected` is what was there anyway, so seeing it says nothing about a write that may still arrive.
    """
    done = _landed(tries, read, expected)
    return tuple(_closed(one) if one.id in done else one for one in tries)


def _closed(one: Try) -> Try:
    """A try whose worker died is called what it was to that worker: unknown."""
    outcome = AttemptOutcome.UNKNOWN if one.outcome == AttemptOutcome.STARTED else one.outcome
    return replace(one, is_open=False, outcome=outcome)


def _landed(tries: Tries, read: Reading, expected: date | None) -> set[int]:
    """The tries that a read accounts for.

    A single possible explanation has landed; of several, all may still arrive. What was answered before the
    read is in the read.
    """
    done = {one.id for one in tries if one.is_open and _answered_before(one, read)}
    waiting = [one for one in tries if one.is_open and one.id not in done and one.wrote == read.paid_on]
    explained = any(one.id in done and one.wrote == read.paid_on for one in tries)
    if not waiting or explained or read.paid_on == expected:
        return done
    oldest = waiting[0]
    same = [one for one in tries if one.wrote == read.paid_on and one.id != oldest.id]
    rivals = [one for one in same if one.is_open or one.id > oldest.id]
    return done if rivals else done | {oldest.id}


def _answered_before(one: Try, read: Reading) -> bool:
    overtaken = one.outcome == AttemptOutcome.OVERTAKEN and one.finished_at is not None
    return overtaken and one.finished_at < read.started_at  # type: ignore[operator]
