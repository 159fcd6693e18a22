"""The rows of places at Autotask's endpoints: taken, kept and given back in single statements of their own."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from portal import clock
from portal.database import outside_transaction

PLACES = 3
LEASE_SECONDS = 30.0  # longer than any call may take

# One place at each of some endpoints, where there is a free one.
TAKE = """
WITH free AS MATERIALIZED (
    SELECT place.id FROM unnest(CAST(:endpoints AS text[]), CAST(:places AS int[])) AS wanted (endpoint, places)
    CROSS JOIN LATERAL (
        SELECT id FROM call_slot
        WHERE tenant_id = :tenant_id AND integration_id = :integration_id AND endpoint = wanted.endpoint
            AND slot <= wanted.places AND (held_until IS NULL OR held_until < clock_timestamp())
        ORDER BY slot DESC LIMIT 1 FOR UPDATE SKIP LOCKED) AS place)
UPDATE call_slot SET token = :token, held_until = clock_timestamp() + make_interval(secs => :seconds)
FROM free WHERE call_slot.tenant_id = :tenant_id AND call_slot.id = free.id
RETURNING call_slot.id, call_slot.endpoint"""

MAKE = """
INSERT INTO call_slot (tenant_id, integration_id, endpoint, slot)
SELECT :tenant_id, :integration_id, :endpoint, slot FROM generate_series(1, :places) AS slot
ON CONFLICT (tenant_id, integration_id, endpoint, slot) DO NOTHING"""

KEEP = """
UPDATE call_slot SET held_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE tenant_id = :tenant_id AND id = :id AND token = :token RETURNING id"""

# Freeing places and counting what was called from them is one statement.
FREE = """
WITH freed AS (
    UPDATE call_slot SET token = NULL, held_until = NULL
    FROM unnest(CAST(:ids AS bigint[]), CAST(:tokens AS text[])) AS ours (id, token)
    WHERE call_slot.tenant_id = :tenant_id AND call_slot.id = ours.id AND call_slot.token = ours.token)
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


@dataclass(frozen=True)
class SlotRows:
    """Those of one integration. All times are the database's, but for `kept_at`."""

    tenant_id: int
    integration_id: int

    def take(self, wanted: Mapping[str, int], seconds: float = LEASE_SECONDS) -> dict[str, Place]:
        """By endpoint a place among so many, where one is free now."""
        token, at = secrets.token_hex(8), clock.monotonic()
        values = {"endpoints": list(wanted), "places": list(wanted.values())}
        found = self._run(TAKE, **values, token=token, seconds=seconds)
        return {row.endpoint: Place(row.id, row.endpoint, token, at) for row in found}

    def make(self, endpoint: str, places: int) -> None:
        """The rows of an endpoint that was never asked before."""
        self._run(MAKE, endpoint=endpoint, places=places)

    def keep(self, place: Place) -> bool:
        """A new lease for a place; False when it is no longer ours."""
        return bool(self._run(KEEP, id=place.id, token=place.token, seconds=LEASE_SECONDS))

    def free(self, places: Sequence[Place]) -> None:
        """Gives them back, and counts their calls."""
        ours = {"ids": [place.id for place in places], "tokens": [place.token for place in places]}
        self._run(FREE, **ours, calls=sum(place.calls for place in places))

    def _run(self, statement: str, **values: object) -> list[Row[Any]]:
        everywhere = {"integration_id": self.integration_id}
        return outside_transaction.run(self.tenant_id, statement, **everywhere, **values)
