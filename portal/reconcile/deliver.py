"""Delivers what is due of one partner. Safe to run twice and at the same time: rows are claimed by lease."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DBAPIError

from portal import clock, connect
from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError
from portal.connect.side_by_side import Crew, crew
from portal.database import claims
from portal.extensions import db
from portal.reconcile import delivery_steps, waiting_together
from portal.reconcile.failures import SHARED, Failure, failure_of
from portal.reconcile.store import SqlStore
from portal.reconcile.together import INTERNAL, Together
from portal.reconcile.work import INVOICES, Autotask, Phase, Store, Work

log = structlog.get_logger(__name__)
LONGEST_DRAIN = 15.0
MOST_TOGETHER = 64
# Seconds for the steps of all that are taken together; slower, and fewer are taken next.
QUICK, SLOW = 2.0, 4.0


@dataclass
class Drain:
    """One going-through of a partner's due deliveries. `tell` hears of each that came to an end.

    The first is delivered alone, so that one alone meets an outage; then ever more are taken together.
    """

    tell: Callable[[Work], None] | None = None
    only_id: int | None = None
    until: float = field(default_factory=lambda: clock.monotonic() + LONGEST_DRAIN)
    done: int = 0
    together: int = 1
    stopped: bool = False
    hurried: bool = False

    def run(self, clients: Crew) -> None:
        """Delivers until nothing is due, time is up, or Autotask as a whole does not answer.

        Raises Misshapen after an answer that makes no sense; run again then, it goes on with all that waits.
        """
        store = SqlStore()
        if self.stopped:
            self.stopped = False
            waiting_together.hurry()
        while not self.stopped and clock.monotonic() < self.until:
            claims = store.claim_some(self.together, self.only_id)
            if not claims:
                return
            together, started = Together(store, clients), clock.monotonic()
            # Whoever meets what ends this round begins the next one alone.
            taken, self.together = self.together, 1
            with clients.grown_to(len(claims)):
                works = together.deliver([Work(claim) for claim in claims])
            self.together = taken
            self._pace(clock.monotonic() - started)
            for work in works:
                self._note(work)
            if self.stopped and together.odd is not None:
                self.together = 1
                raise together.odd

    def _pace(self, seconds: float) -> None:
        """How many are taken next: what a claim takes must end long before its lease does."""
        if seconds < QUICK:
            growth = min(4.0, SLOW / max(seconds, 0.001))
            self.together = min(int(self.together * growth), MOST_TOGETHER)
        elif seconds > SLOW:
            self.together = max(self.together // 2, 1)

    def _note(self, work: Work) -> None:
        self.done += 1
        if work.failure is not None and work.failure.kind in SHARED:
            self.stopped = True
            waiting_together.wait_like(work.claim.delivery_id)
        elif not self.stopped and work.failure is None and work.was_answered and not self.hurried:
            self.hurried = True
            waiting_together.hurry()
        if self.tell is not None:
            self.tell(work)


def deliver(work: Work, store: Store, autotask: Autotask) -> Work:
    """All steps of one delivery."""
    while work.phase != Phase.DONE:
        work = delivery_steps.advance(work, store, autotask)
    return work


def deliver_due(tell: Callable[[Work], None] | None = None) -> int:
    """Delivers what is due of the partner in scope; how many deliveries were worked on."""
    return run(Drain(tell=tell)) if waiting_together.has_due() else 0


def run(drain: Drain) -> int:
    """The drain, in the name of the integration. A refused login leaves all waiting, with a sentence."""
    integration = connect.current()
    if integration is None:
        db.session.commit()
        return 0

    def drained(client: Client) -> None:
        with crew(client, INVOICES) as clients:
            drain.run(clients)

    try:
        with claims.living():
            connect.calling(integration.id, drained, purpose="payment")
    except AutotaskError as error:
        db.session.rollback()
        waiting_together.explain(error)
        if not drain.stopped:  # else they wait already
            _pause(failure_of(error))
        log.info("deliveries.wait", reason=str(error))
    except DBAPIError:
        raise
    except Exception:
        db.session.rollback()
        _pause(INTERNAL)
        raise
    return drain.done


def _pause(failure: Failure) -> None:
    """Nothing is due while the integration is not connected, and all of it at once when it is again."""
    integration = connect.current()
    if integration is not None and integration.is_connected:
        waiting_together.pause(failure)
    db.session.commit()
