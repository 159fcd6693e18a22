"""What each step does to a delivery and its tries, whole and pure: for the store and for the enumeration."""

import random
from dataclasses import dataclass, replace
from datetime import datetime

from portal.models import AttemptOutcome, DeliveryState
from portal.reconcile import delivery_row
from portal.reconcile.decide import CONFLICTS, Act, Known, Marks, Reading, decide, marks_after
from portal.reconcile.delivery_row import Row
from portal.reconcile.failures import NOT_FOUND
from portal.reconcile.sent_writes import Tries, Try, accounted, ended, strays
from portal.reconcile.timing import Jitter
from portal.reconcile.work import Work


@dataclass(frozen=True)
class Held:
    """A delivery with its writes so far, oldest first."""

    row: Row
    tries: Tries = ()

    @property
    def marks(self) -> Marks:
        return Marks(self.row.our_mark_on, self.row.shown_on, strays(self.tries))


def may_begin(held: Held, work: Work, now: datetime) -> bool:
    """K3: false when the delivery is no longer ours or the wish has changed."""
    claim = work.claim
    return work.decision is not None and delivery_row.may_send(held.row, claim.token, claim.version, now)


def begin(held: Held, work: Work, new_id: int, now: datetime) -> Held:
    """K4, once may_begin() said so: the write `new_id` is written down before it is sent."""
    before = ended(held.tries, work.attempt_id, AttemptOutcome.REFUSED, now, is_open=False)
    row = delivery_row.begun(held.row, work.target, now)
    return Held(row, (*before, Try(new_id, work.target)))


def settle(held: Held, work: Work, now: datetime) -> Held:
    """K6: done for the version that was carried, if the lease is still ours."""
    claim, read = work.claim, work.read_back or work.read
    assert read is not None
    if held.row.lease_token != claim.token:
        outcome = AttemptOutcome.UNKNOWN if work.unknown else AttemptOutcome.OVERTAKEN
        tries = ended(held.tries, work.attempt_id, outcome, now, is_open=True)
        return Held(delivery_row.overtaken(held.row, now), tries)
    tries = ended(held.tries, work.attempt_id, AttemptOutcome.CONFIRMED, now, is_open=work.unknown)
    if work.read is not None:
        tries = accounted(tries, work.read, claim.marks.shown_on)
    if work.unknown and work.read is not None and work.read_back is not None:
        tries = accounted(tries, work.read_back, work.read.paid_on)
    marks = marks_after(Held(held.row, tries).marks, read)
    return Held(delivery_row.settled(held.row, claim.token, claim.version, marks, now), tries)


def fail(held: Held, work: Work, now: datetime, jitter: Jitter = random.uniform) -> Held:
    """It did not end well: it waits, or is parked."""
    failure = work.failure
    assert failure is not None
    watched = work.sent and not failure.final
    tries = ended(held.tries, work.attempt_id, failed_outcome(work), now, is_open=watched)
    row = _without_mark(held.row, work)
    return Held(delivery_row.failed(row, work.claim.token, work.claim.version, failure, now, jitter), tries)


def release(held: Held, work: Work, now: datetime) -> Held:
    """Given back: another try begins with what is wished by then."""
    outcome = AttemptOutcome.UNKNOWN if work.sent else AttemptOutcome.OVERTAKEN
    tries = ended(held.tries, work.attempt_id, outcome, now, is_open=work.sent)
    row = _without_mark(held.row, work)
    return Held(delivery_row.released(row, work.claim.token, now, sent=work.sent), tries)


def compare(held: Held, known: Known, read: Reading, now: datetime) -> Held:
    """The sweep: what does not show the wish becomes due. It writes nothing to Autotask itself."""
    if held.row.state not in (DeliveryState.CONFIRMED, DeliveryState.PARKED):
        return held
    if _is_worth_a_try(held, known, read):
        return replace(held, row=delivery_row.looked_for(held.row, now))
    return replace(held, tries=accounted(held.tries, read, held.row.shown_on))


def failed_outcome(work: Work) -> AttemptOutcome:
    """What history calls a try that did not end well."""
    if work.failure is not None and work.failure.final:
        return AttemptOutcome.REFUSED
    return AttemptOutcome.UNKNOWN if work.sent else AttemptOutcome.RETRY


# Parked until a reading shows that the reason is gone; one that was not found has been found by being read.
ENDED_BY_READING = CONFLICTS | {NOT_FOUND}


def _is_worth_a_try(held: Held, known: Known, read: Reading) -> bool:
    """Confirmed, but a late write of ours has landed; or parked, and the reason for that is gone."""
    act = decide(held.row.wish_paid_on, held.marks, known, read).act
    if held.row.state != DeliveryState.PARKED:
        return act in (Act.WRITE, Act.CLEAR)
    return act == Act.NOTHING or (held.row.error_kind in ENDED_BY_READING and act != Act.REFUSE)


def _without_mark(row: Row, work: Work) -> Row:
    """Refused, or never sent: the date is not ours after all."""
    if work.attempt_id is None or work.sent or work.decision is None:
        return row
    return delivery_row.taken_back(row, work.claim.token, work.decision.paid_on, work.claim.marks.our_mark_on)
