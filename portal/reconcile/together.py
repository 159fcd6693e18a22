"""Deliveries side by side: each takes its own steps by its own rules, and all take the same step at the same time.

A step in the database is one transaction for all of them; a step at Autotask is up to three calls at a time. Each call
begins after the transactions before it are committed, and each read after all writes of the step before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from portal import clock
from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError, Misshapen, Unauthorized
from portal.connect.side_by_side import Crew
from portal.extensions import db
from portal.reconcile import delivery_steps
from portal.reconcile.failures import SHARED, Failure
from portal.reconcile.store import SqlStore
from portal.reconcile.work import Autotask, Phase, Work

log = structlog.get_logger(__name__)
# After so long, the rest of what is taken together is given back: with one last call it ends within its job's minute.
LONGEST = 30.0
INTERNAL = Failure("internal", "Something went wrong in the portal itself. It tries again by itself.")
CALLS = (Phase.READ, Phase.SEND, Phase.VERIFY)
ORDER = (Phase.READ, Phase.BEGIN, Phase.SEND, Phase.VERIFY)


@dataclass
class Together:
    """Some deliveries in this worker's hands. `odd` is the last answer of the wrong shape."""

    store: SqlStore
    crew: Crew
    odd: Misshapen | None = None
    refusal: Unauthorized | None = None
    until: float = field(default_factory=lambda: clock.monotonic() + LONGEST)

    def deliver(self, works: Sequence[Work]) -> list[Work]:
        """All steps of all of them. Raises Unauthorized once all are given back."""
        found = list(works)
        while (phase := _next(found)) is not None:
            at = [number for number, work in enumerate(found) if _is_at(work, phase)]
            after = self._step(phase, [found[number] for number in at])
            for number, work in zip(at, after, strict=True):
                found[number] = work
            if self.refusal is not None:
                found = [_given_back(work) for work in found]
        if self.refusal is not None:
            raise self.refusal
        return found

    def _step(self, phase: str, works: list[Work]) -> list[Work]:
        if phase in CALLS:
            return self._call(phase, works)
        if phase == Phase.BEGIN:
            return _one_by_one_if_it_fails(self._begin, works, self.store)
        return _one_by_one_if_it_fails(self._end, works, self.store)

    def _begin(self, works: list[Work]) -> list[Work]:
        """K3 and K4."""
        send_before = delivery_steps.latest_send()
        begun = self.store.begin_all(works)
        return [delivery_steps.begun(work, id, send_before) for work, id in zip(works, begun, strict=True)]

    def _end(self, works: list[Work]) -> list[Work]:
        """K6, or whatever else their ends are."""
        self.store.end(works)
        return [delivery_steps.ended(work) for work in works]

    def _call(self, phase: str, works: list[Work]) -> list[Work]:
        """K2, the write, or K5. What Autotask as a whole does not answer is met by one of them."""
        moment = Moment(self.store.now()) if phase != Phase.SEND else Moment(None)
        met = list[Work]()

        def one(client: Client, work: Work) -> Work:
            after = self._advanced(phase, work, moment, client)
            if self.refusal is not None or (after.failure is not None and after.failure.kind in SHARED):
                met.append(after)
            return after

        found = self.crew.each(one, works, lambda: bool(met) or clock.monotonic() > self.until)
        return [
            _given_back(work) if after is None or (after in met[1:] and not after.sent) else after
            for work, after in zip(works, found, strict=True)
        ]

    def _advanced(self, phase: str, work: Work, moment: "Moment", client: Client) -> Work:
        try:
            return delivery_steps.advance(work, moment, Noticing(client, self))
        except Unauthorized as refusal:
            self.refusal = refusal
            return _given_back(work)
        except (AutotaskError, DBAPIError):
            raise
        except Exception:
            log.exception("delivery.failed", delivery_id=work.claim.delivery_id)
            # A write that was begun may have landed: its mark stays ours, and it is watched.
            return replace(work, sent=work.sent or phase == Phase.SEND).failed(
                replace(INTERNAL, maybe_applied=True)
            )


def _next(works: Sequence[Work]) -> str | None:
    """The step that comes first; RELEASE stands for all ends. None when all are done."""
    phases = {work.phase for work in works} - {Phase.DONE}
    return next((phase for phase in ORDER if phase in phases), Phase.RELEASE if phases else None)


def _is_at(work: Work, phase: str) -> bool:
    return work.phase == phase or (phase == Phase.RELEASE and work.phase != Phase.DONE)


def _given_back(work: Work) -> Work:
    """Not begun, or told that nobody may go on."""
    return work if work.phase == Phase.DONE else replace(work, phase=Phase.RELEASE)


def _one_by_one_if_it_fails(
    step: Callable[[list[Work]], list[Work]], works: list[Work], store: SqlStore
) -> list[Work]:
    """A fault with one of them takes the others along only for the moment; a fault of our own parks it in time."""
    try:
        return step(works)
    except Exception as error:
        db.session.rollback()
        if isinstance(error, DBAPIError) and (error.connection_invalidated or len(works) == 1):
            raise
        if len(works) > 1:
            return _one_by_one(step, works, store)
        log.exception("delivery.failed", delivery_id=works[0].claim.delivery_id)
        failed = replace(works[0], failure=replace(INTERNAL, maybe_applied=True))
        store.fail(failed)
        return [replace(failed, phase=Phase.DONE)]


def _one_by_one(step: Callable[[list[Work]], list[Work]], works: list[Work], store: SqlStore) -> list[Work]:
    """Each by itself; what the database refuses one of them is raised once all had their turn."""
    done, refused = list[Work](), None
    for work in works:
        try:
            done += _one_by_one_if_it_fails(step, [work], store)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            refused = error
    if refused is not None:
        raise refused
    return done


@dataclass
class Moment:
    """The store of a step at Autotask, in whichever thread: it only tells the time before the step."""

    at: datetime | None

    def now(self) -> datetime:
        assert self.at is not None
        return self.at

    def release(self, work: Work) -> None:
        """Given back with the others, once all threads are done."""

    def begin(self, work: Work) -> int | None:
        raise AssertionError("no step at Autotask writes")

    settle = learn = fail = release


@dataclass
class Noticing:
    """The client, and the last answer of the wrong shape: a delivery makes its own sense of it and goes on."""

    client: Autotask
    told: Together = field(repr=False)

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
            self.told.odd = odd
            raise
