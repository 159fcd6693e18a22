"""At most three calls at a time per endpoint, counted across all processes (rule 3.6).

A place is a row with a lease: a killed process frees it by letting the lease run out.
"""

import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.autotask.budget import Purpose
from portal.autotask.client import Client
from portal.autotask.errors import Throttled
from portal.database import outside_transaction
from portal.extensions import db

PLACES = 3
# Where payments go reading takes two places: the third is kept free, so that a payment never queues behind it.
READING_PLACES = {"Invoices": 2}
LEASE_SECONDS = 30.0  # longer than any call may take
LONGEST_CALL = 22.0
LONGEST_WAIT: dict[Purpose, float] = {"read": 60.0, "payment": 20.0}
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25

TAKE = """
WITH free AS MATERIALIZED (
    SELECT id FROM call_slot
    WHERE tenant_id = :tenant_id AND integration_id = :integration_id AND endpoint = :endpoint
        AND slot <= :places AND (held_until IS NULL OR held_until < clock_timestamp())
    ORDER BY slot DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE call_slot SET token = :token, held_until = clock_timestamp() + make_interval(secs => :seconds)
FROM free WHERE call_slot.tenant_id = :tenant_id AND call_slot.id = free.id RETURNING call_slot.id"""

MAKE = """
INSERT INTO call_slot (tenant_id, integration_id, endpoint, slot)
SELECT :tenant_id, :integration_id, :endpoint, slot FROM generate_series(1, :places) AS slot
ON CONFLICT (tenant_id, integration_id, endpoint, slot) DO NOTHING"""

KEEP = """
UPDATE call_slot SET held_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE tenant_id = :tenant_id AND id = :id AND token = :token RETURNING id"""

# Freeing a place and counting what was called from it is one statement.
FREE = """
WITH freed AS (
    UPDATE call_slot SET token = NULL, held_until = NULL
    WHERE tenant_id = :tenant_id AND id = :id AND token = :token)
INSERT INTO api_usage (tenant_id, integration_id, minute, calls)
SELECT :tenant_id, :integration_id, date_trunc('minute', clock_timestamp()), :calls WHERE :calls > 0
ON CONFLICT (tenant_id, integration_id, minute) DO UPDATE SET calls = api_usage.calls + excluded.calls"""


@dataclass
class Place:
    """A place at an endpoint, ours until the lease runs out."""

    id: int
    endpoint: str
    token: str = field(repr=False)
    kept_at: float
    calls: int = 0


class Slots:
    """The places of one integration, for one client."""

    def __init__(
        self,
        tenant_id: int,
        integration_id: int,
        purpose: Purpose,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tenant_id, self.integration_id = tenant_id, integration_id
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

    def hold_if_free(self, endpoint: str) -> bool:
        """Takes a place for all calls at this endpoint until let_go(), or none where all are taken now."""
        place = self._try(endpoint, self._places(endpoint))
        if place is not None:
            self._held[endpoint] = place
        return place is not None

    def let_go(self, endpoint: str) -> None:
        self._free(self._held.pop(endpoint))

    def take_at_once(self, endpoint: str, seconds: float = LEASE_SECONDS) -> Place | None:
        """The only place of something that one process at a time may do, or None while another does it.

        Kept for `seconds` unless it is freed.
        """
        place = self._try(endpoint, 1, seconds)
        if place is None:
            self._make(endpoint, 1)
            place = self._try(endpoint, 1, seconds)
        return place

    def free(self, place: Place) -> None:
        self._free(place)

    def _take(self, endpoint: str) -> Place:
        places = self._places(endpoint)
        place = self._try(endpoint, places)
        if place is None:
            self._make(endpoint, PLACES)
        until, pause = clock.monotonic() + self.longest_wait, FIRST_PAUSE
        while place is None:
            place = self._try(endpoint, places)
            if place is None and clock.monotonic() >= until:
                raise Throttled("The portal already makes as many calls as Autotask allows.", retry_after=5.0)
            if place is None:
                self._sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, no secret
                pause = min(pause * 1.5, LONGEST_PAUSE)
        return place

    def _places(self, endpoint: str) -> int:
        return self._fewer.get(endpoint, PLACES)

    def _try(self, endpoint: str, places: int, seconds: float = LEASE_SECONDS) -> Place | None:
        token = secrets.token_hex(8)
        found = self._run(TAKE, endpoint=endpoint, places=places, token=token, seconds=seconds)
        return Place(found[0], endpoint, token, clock.monotonic()) if found else None

    def _make(self, endpoint: str, places: int) -> None:
        self._run(MAKE, endpoint=endpoint, places=places)

    def _keep(self, place: Place) -> None:
        """Makes sure the lease outlasts one more call; a lost place is replaced by another."""
        if clock.monotonic() - place.kept_at < LEASE_SECONDS - LONGEST_CALL:
            return
        kept_at = clock.monotonic()
        if self._run(KEEP, id=place.id, token=place.token, seconds=LEASE_SECONDS):
            place.kept_at = kept_at
            return
        other = self._take(place.endpoint)
        place.id, place.token, place.kept_at = other.id, other.token, other.kept_at

    def _free(self, place: Place) -> None:
        try:
            self._run(FREE, id=place.id, token=place.token, calls=place.calls)
        except SQLAlchemyError:
            # What Autotask answered counts more than this; the place gets free when its lease runs out.
            structlog.get_logger().exception("call_slot.not_freed", endpoint=place.endpoint)

    def _run(self, statement: str, **values: object) -> list[int]:
        everywhere = {"integration_id": self.integration_id}
        rows = outside_transaction.run(self.tenant_id, statement, **everywhere, **values)
        return [row[0] for row in rows]


def held(client: Client, endpoint: str) -> AbstractContextManager[None]:
    """`with slots.held(client, "Invoices"):` keeps one place for a whole read."""
    slots = getattr(client, "slots", None)
    return slots.held(endpoint) if isinstance(slots, Slots) else nullcontext()
