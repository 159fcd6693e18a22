"""Delivers what is due of one partner. Safe to run twice and at the same time: rows are claimed by lease."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from portal import clock, connect
from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError, Misshapen
from portal.connect import slots
from portal.extensions import db
from portal.reconcile import steps, waiting_together
from portal.reconcile.failures import SHARED, Failure, failure_of
from portal.reconcile.store import SqlStore
from portal.reconcile.work import INVOICES, Autotask, Phase, Store, Work

log = structlog.get_logger(__name__)
LONGEST_DRAIN = 15.0
INTERNAL = Failure("internal", "Something went wrong in the portal itself. It tries again by itself.")


@dataclass
class Drain:
    """One going-through of a partner's due deliveries. `tell` hears of each that came to an end."""

    tell: Callable[[Work], None] | None = None
    only_id: int | None = None
    until: float = field(default_factory=lambda: clock.monotonic() + LONGEST_DRAIN)
    done: int = 0
    stopped: bool = False
    hurried: bool = False

    def run(self, client: Client) -> None:
        """Delivers until nothing is due, time is up, or Autotask as a whole does not answer.

        Raises Misshapen after an answer that makes no sense; run again then, it goes on with all that waits.
        """
        store = SqlStore()
        if self.stopped:
            self.stopped = False
            waiting_together.hurry()
        while not self.stopped and clock.monotonic() < self.until:
            claim = store.claim(self.only_id)
            if claim is None:
                return
            autotask = Noticing(client)
            self._note(_delivered(Work(claim), store, autotask))
            if self.stopped and autotask.odd is not None:
                raise autotask.odd

    def _note(self, work: Work) -> None:
        self.done += 1
        if work.failure is not None and work.failure.kind in SHARED:
            self.stopped = True
            waiting_together.wait_like(work.claim.delivery_id)
        elif work.failure is None and not self.hurried:
            self.hurried = True
            waiting_together.hurry()
        if self.tell is not None:
            self.tell(work)


@dataclass
class Noticing:
    """The client, and the last answer of the wrong shape: a delivery makes its own sense of it and goes on."""

    client: Client
    odd: Misshapen | None = None

    def get(self, entity: str, id: int) -> dict[str, Any]:
        return self._noticed(self.client.get, entity, id)

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        self._noticed(self.client.patch, entity, body)

    def put(self, entity: str, body: dict[str, Any]) -> None:
        self._noticed(self.client.put, entity, body)

    def _noticed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Misshapen as odd:
            self.odd = odd
            raise


def deliver(work: Work, store: Store, autotask: Autotask) -> Work:
    """All steps of one delivery."""
    while work.phase != Phase.DONE:
        work = steps.advance(work, store, autotask)
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
        # One place for all calls of the drain: it makes one call at a time.
        with slots.held(client, INVOICES):
            drain.run(client)

    try:
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


def _delivered(work: Work, store: SqlStore, client: Autotask) -> Work:
    """One delivery; a fault of our own parks it in time, so that it never blocks the others."""
    try:
        return deliver(work, store, client)
    except (AutotaskError, DBAPIError):
        raise
    except Exception:
        db.session.rollback()
        log.exception("delivery.failed", delivery_id=work.claim.delivery_id)
        failed = replace(work, failure=replace(INTERNAL, maybe_applied=True))
        store.fail(failed)
        return failed
