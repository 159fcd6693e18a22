"""Deliveries in PostgreSQL: the protocol's transitions, each under the row's lock in a short transaction.

Any number of deliveries take a step in one transaction, each by its own rules. All times are the database's: the
clocks of workers are never compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import func, select

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.database import claims, outside_transaction
from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryState
from portal.reconcile import attempts, claiming, findings, locked, mirror, transitions
from portal.reconcile.clearing import NOT_CLEARED_BY_PATCH
from portal.reconcile.failures import KILLED, Failure
from portal.reconcile.locked import Locked, Locks
from portal.reconcile.mirror import Mirrored
from portal.reconcile.work import Claim, Phase, Work

log = structlog.get_logger(__name__)
CHANGED = Failure("changed", "The invoice was changed in Autotask. The portal looks again.")
GIVEN_BACK = "Given back before it was sent, because the wish changed or time ran short."
NOT_LOOKED_AT = (
    "Sent, but not looked at yet, because Autotask did not answer in time. The portal looks again before it sends "
    "anything."
)
OVERTAKEN = "Another worker had taken over; the invoice is looked at again."


class SqlStore:
    """The current tenant's deliveries. Every method commits."""

    def now(self) -> datetime:
        """The database's clock, by a single statement."""
        [(moment,)] = outside_transaction.run(current_tenant_id(), "SELECT clock_timestamp()")
        return moment

    def claim(self, only_id: int | None = None) -> Claim | None:
        """K1: the delivery that is due longest, new ones before those that failed before; None if none is."""
        return next(iter(self.claim_some(1, only_id)), None)

    def claim_some(self, most: int, only_id: int | None = None) -> list[Claim]:
        """K1 for several. What killed three who held it is parked, and nobody is told anything of Autotask."""
        while claimed := claiming.take(most, only_id):
            killers = [one for one in claimed if claims.deaths_before(one.token) >= claims.MOST_DEATHS]
            if not killers:
                return claimed
            self.end([Work(one).failed(KILLED) for one in killers])
        return []

    def begin(self, work: Work) -> int | None:
        """K3 and K4: the attempt's id, or None when it is no longer ours or the wish has changed."""
        return self.begin_all([work])[0]

    def begin_all(self, works: Sequence[Work]) -> list[int | None]:
        """K3 and K4 for each of them."""
        found = locked.lock([work.claim.delivery_id for work in works])
        ready = [work for work in works if _may_begin(found, work)]
        begun = {row.delivery_id: row for row in attempts.begin(ready, found.now)}
        for work in ready:
            _begin(found, work, begun[work.claim.delivery_id])
        found.save()
        db.session.commit()
        ids = {delivery_id: row.id for delivery_id, row in begun.items()}
        return [ids.get(work.claim.delivery_id) for work in works]

    def settle(self, work: Work) -> None:
        """K6: what was read back is kept, and counts as done for the version that was carried."""
        self.end([replace(work, phase=Phase.SETTLE)])

    def learn(self, work: Work) -> None:
        """Autotask's own values moved: they come first, the wish that follows from them is looked at anew."""
        self.end([replace(work, phase=Phase.LEARN)])

    def fail(self, work: Work) -> None:
        """The try did not end well: what was read is kept, it waits or is parked as an exception."""
        self.end([replace(work, phase=Phase.FAIL)])

    def release(self, work: Work) -> None:
        """Given back: another try begins with what is wished by then."""
        self.end([replace(work, phase=Phase.RELEASE)])

    def end(self, works: Sequence[Work]) -> None:
        """Settles, learns, fails or releases each of them, as its phase says."""
        reading = [work for work in works if work.phase != Phase.RELEASE]
        invoices = mirror.lock([work.claim.invoice_id for work in reading])
        found = locked.lock([work.claim.delivery_id for work in works])
        reads = {work.claim.invoice_id: work.read_back or work.read for work in reading}
        settled = {work.claim.invoice_id for work in works if work.phase == Phase.SETTLE}
        known = mirror.write(invoices, {id: read for id, read in reads.items() if read is not None}, settled)
        for work in works:
            one = found.of[work.claim.delivery_id]
            ENDINGS[work.phase](found, one, work, work.claim.invoice_id in known)
            if work.phase != Phase.RELEASE:
                found.plan(one)
        found.save()
        _tell(found, reading, invoices)
        ledger.restate(sorted(invoices))
        db.session.commit()
        claims.answered(*(work.claim.token for work in works))


def _may_begin(found: Locks, work: Work) -> bool:
    return transitions.may_begin(found.of[work.claim.delivery_id].held, work, found.now)


def _begin(found: Locks, work: Work, attempt: attempts.Attempt) -> None:
    one = found.of[work.claim.delivery_id]
    assert attempt.id is not None
    one.writes.append(attempt)
    found.keep(one, transitions.begin(one.held, work, attempt.id, found.now))
    if work.attempt_id is not None:
        found.describe(one, work, AttemptOutcome.REFUSED, work.refused_with or NOT_CLEARED_BY_PATCH)


def _settle(found: Locks, one: Locked, work: Work, _: bool) -> None:
    said = None if one.row.lease_token == work.claim.token else OVERTAKEN
    found.keep(one, transitions.settle(one.held, work, found.now))
    found.describe(one, work, AttemptOutcome.NOTHING_TO_DO, said)


def _learn(found: Locks, one: Locked, work: Work, is_news: bool) -> None:
    if is_news:
        found.keep(one, transitions.release(one.held, work, found.now))
    else:
        found.keep(one, transitions.fail(one.held, replace(work, failure=CHANGED), found.now))


def _fail(found: Locks, one: Locked, work: Work, _: bool) -> None:
    assert work.failure is not None
    found.keep(one, transitions.fail(one.held, work, found.now))
    found.describe(one, work, transitions.failed_outcome(work), work.failure.sentence)


def _release(found: Locks, one: Locked, work: Work, _: bool) -> None:
    found.keep(one, transitions.release(one.held, work, found.now))
    if work.attempt_id is not None:
        found.describe(one, work, AttemptOutcome.OVERTAKEN, NOT_LOOKED_AT if work.sent else GIVEN_BACK)


ENDINGS: dict[str, Callable[[Locks, Locked, Work, bool], None]] = {
    Phase.SETTLE: _settle,
    Phase.LEARN: _learn,
    Phase.FAIL: _fail,
    Phase.RELEASE: _release,
}


def _tell(found: Locks, works: Sequence[Work], invoices: dict[int, Mirrored]) -> None:
    """Opens and closes what a person must look at."""
    settled = [work for work in works if work.phase == Phase.SETTLE]
    findings.close([work.claim.invoice_id for work in settled if _is(found, work, DeliveryState.CONFIRMED)])
    for work in works:
        invoice = invoices[work.claim.invoice_id]
        if work.phase == Phase.SETTLE:
            findings.tell_moved(work, invoice)
        elif work.phase == Phase.FAIL and work.failure is not None and _is(found, work, DeliveryState.PARKED):
            findings.open_item(found.of[work.claim.delivery_id].row, invoice, final=work.failure.final)


def _is(found: Locks, work: Work, state: DeliveryState) -> bool:
    return found.of[work.claim.delivery_id].row.state == state


def clock_timestamp() -> datetime:
    """The database's clock now, inside the running transaction."""
    return db.session.execute(select(func.clock_timestamp())).scalar_one()
