"""At most three calls at a time per endpoint, counted across all processes (rule 3.6).

A place is a row with a lease: a killed process frees it by letting the lease run out.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.autotask.budget import Purpose
from portal.autotask.client import Client
from portal.autotask.errors import Throttled
from portal.connect.slot_rows import LEASE_SECONDS, PLACES, Place, SlotRows
from portal.extensions import db

# Where payments go reading takes two places: the third is kept free, so that a payment never queues behind it.
READING_PLACES = {"Invoices": 2}
LONGEST_CALL = 22.0
LONGEST_WAIT: dict[Purpose, float] = {"read": 60.0, "payment": 20.0}
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25


class Slots:
    """The places of one integration, for one client."""

    def __init__(
        self,
        tenant_id: int,
        integration_id: int,
        purpose: Purpose,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rows = SlotRows(tenant_id, integration_id)
        self._fewer = {} if purpose == "payment" else READING_PLACES
        self.longest_wait = LONGEST_WAIT[purpose]
        self._sleep = sleep
        self._held: dict[str, Place] = {}

    @contextmanager
    def place(self, endpoint: str) -> Iterator[None]:
        """One call's place. Raises Throttled when none gets free in time."""
        held = self._held.get(endpoint)
        if held is not None:
            self._keep(held)
            held.calls += 1
            yield
            return
        place = self._take(endpoint)
        place.calls = 1
        try:
            yield
        finally:
            self._free(place)

    @contextmanager
    def held(self, endpoint: str) -> Iterator[None]:
        """One place for all calls at this endpoint inside the block, so that a call needs no statement."""
        if endpoint in self._held:
            yield
            return
        self._held[endpoint] = self._take(endpoint)
        try:
            yield
        except BaseException:
            # What the block had begun is lost with it; the place must not stay taken for that.
            db.session.rollback()
            raise
        finally:
            self._free(self._held.pop(endpoint))

    @contextmanager
    def held_if_free(self, endpoints: Sequence[str]) -> Iterator[None]:
        """held() for several endpoints that are asked one after the other, where a place is free at this moment."""
        wanted = [endpoint for endpoint in endpoints if endpoint not in self._held]
        self._held |= self._try(wanted)
        try:
            yield
        except BaseException:
            db.session.rollback()
            raise
        finally:
            ours = [self._held.pop(endpoint) for endpoint in wanted if endpoint in self._held]
            if ours:
                self._free(*ours)

    def hold_if_free(self, endpoint: str) -> bool:
        """Takes a place for all calls at this endpoint until let_go(), or none where all are taken now."""
        self._held |= self._try([endpoint])
        return endpoint in self._held

    def let_go(self, endpoint: str) -> None:
        self._free(self._held.pop(endpoint))

    def take_at_once(self, endpoint: str, seconds: float = LEASE_SECONDS) -> Place | None:
        """The only place of something that one process at a time may do, or None while another does it.

        Kept for `seconds` unless it is freed.
        """
        found = self._rows.take({endpoint: 1}, seconds)
        if not found:
            self._rows.make(endpoint, 1)
            found = self._rows.take({endpoint: 1}, seconds)
        return found.get(endpoint)

    def free(self, place: Place) -> None:
        self._free(place)

    def _take(self, endpoint: str) -> Place:
        place = self._try([endpoint]).get(endpoint)
        if place is None:
            self._rows.make(endpoint, PLACES)
        until, pause = clock.monotonic() + self.longest_wait, FIRST_PAUSE
        while place is None:
            place = self._try([endpoint]).get(endpoint)
            if place is None and clock.monotonic() >= until:
                raise Throttled("The portal already makes as many calls as Autotask allows.", retry_after=5.0)
            if place is None:
                self._sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, no secret
                pause = min(pause * 1.5, LONGEST_PAUSE)
        return place

    def _try(self, endpoints: Sequence[str]) -> dict[str, Place]:
        return self._rows.take({endpoint: self._fewer.get(endpoint, PLACES) for endpoint in endpoints})

    def _keep(self, place: Place) -> None:
        """Makes sure the lease outlasts one more call; a lost place is replaced by another."""
        if clock.monotonic() - place.kept_at < LEASE_SECONDS - LONGEST_CALL:
            return
        kept_at = clock.monotonic()
        if self._rows.keep(place):
            place.kept_at = kept_at
            return
        other = self._take(place.endpoint)
        place.id, place.token, place.kept_at = other.id, other.token, other.kept_at

    def _free(self, *places: Place) -> None:
        try:
            self._rows.free(places)
        except SQLAlchemyError:
            # What Autotask answered counts more than this; a place gets free when its lease runs out.
            endpoints = [place.endpoint for place in places]
            structlog.get_logger().exception("call_slot.not_freed", endpoints=endpoints)


def held(client: Client, endpoint: str) -> AbstractContextManager[None]:
    """`with slots.held(client, "Invoices"):` keeps one place for a whole read."""
    slots = getattr(client, "slots", None)
    return slots.held(endpoint) if isinstance(slots, Slots) else nullcontext()


def held_if_free(client: Client, endpoints: Sequence[str]) -> AbstractContextManager[None]:
    """`with held_if_free(client, ["Companies", "Contacts"]):` for small reads one after the other, in two statements."""
    slots = getattr(client, "slots", None)
    return slots.held_if_free(endpoints) if isinstance(slots, Slots) else nullcontext()
