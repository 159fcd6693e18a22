"""The shared hourly budget: read rarely, kept on the integration, obeyed before every call (rule 3.6)."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.dialects.postgresql import insert

from portal import clock
from portal.autotask import budget
from portal.autotask.budget import Pace, Purpose, Threshold
from portal.autotask.errors import AutotaskError, Throttled, Unauthorized
from portal.connect.errors import Paused
from portal.database import outside_transaction
from portal.extensions import db
from portal.models import ApiUsage, Integration

OLD_AFTER = timedelta(minutes=5)
FRESH_FOR = timedelta(seconds=30)
MANY_CALLS = 20
MINUTES = 60

REMEMBER = """
UPDATE integration SET usage_used = :used, usage_limit = :limit, usage_read_at = :read_at,
    paused_until = :paused_until, pause_reason = :reason
WHERE tenant_id = :tenant_id AND id = :integration_id"""

OWN_CALLS = """
SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(calls) FILTER (WHERE minute > :since), 0)::bigint FROM api_usage
WHERE tenant_id = :tenant_id AND integration_id = :integration_id AND minute > :hour"""


class Budget:
    """What is known of the budget while clients work. Threads share it: they ask, and slow down, one after the other."""

    def __init__(
        self,
        tenant_id: int,
        integration_id: int,
        purpose: Purpose,
        *,
        reading: Threshold | None = None,
        read_at: datetime | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tenant_id, self.integration_id, self.purpose = tenant_id, integration_id, purpose
        self.reading, self.read_at = reading, read_at
        self._sleep, self._turn = sleep, threading.Lock()
        self._in_vain = False
        self.calls = 0

    def before_call(self, ask: Callable[[], Threshold]) -> None:
        """Waits a little when half of the budget is used. Raises Paused (reads) or Throttled (payments).

        `ask` reads Autotask's own count, from the client whose call it is.
        """
        with self._turn:
            self._before_call(ask)

    def _before_call(self, ask: Callable[[], Threshold]) -> None:
        if self._is_due():
            self.look(ask)
        pace = self._pace()
        if pace.action == "stop" and self.calls and self._age() > FRESH_FOR and not self._in_vain:
            self.look(ask)
            pace = self._pace()
        if pace.action == "stop":
            self._stop(pace)
        if pace.action == "slow":
            self._sleep(pace.seconds)
        self.calls += 1

    def look(self, ask: Callable[[], Threshold]) -> None:
        """Reads Autotask's own count and keeps it. A failed look changes nothing and is not repeated."""
        try:
            reading = ask()
        except Unauthorized:
            raise
        except AutotaskError as error:
            self._in_vain = True
            structlog.get_logger().info("budget.not_read", reason=str(error))
            return
        self.reading, self.read_at, self.calls = reading, clock.now(), 0
        remember(self.tenant_id, self.integration_id, reading, self.read_at)

    def _is_due(self) -> bool:
        enough = self.purpose == "read" or self.calls >= MANY_CALLS
        return enough and not self._in_vain and self._age() > OLD_AFTER

    def _age(self) -> timedelta:
        return clock.now() - self.read_at if self.read_at else timedelta.max

    def _pace(self) -> Pace:
        # An old count says nothing about now: the hour rolls on.
        if self.reading is None or self._age() > OLD_AFTER * 2:
            return Pace("go", 0.0, "")
        return budget.pace(self._estimate(self.reading), self.purpose)

    def _estimate(self, reading: Threshold) -> Threshold:
        return Threshold(reading.limit, reading.minutes, reading.used + self.calls)

    def _stop(self, pace: Pace) -> None:
        if self.purpose == "payment":
            raise Throttled(f"Sending waits: {pace.reason}", retry_after=pace.seconds)
        until = clock.now() + timedelta(seconds=pace.seconds)
        if self.reading is not None and self.read_at is not None:
            remember(self.tenant_id, self.integration_id, self._estimate(self.reading), self.read_at)
        raise Paused(f"Reading waits: {pace.reason}", retry_after=pace.seconds, until=until)


def remembered(integration: Integration) -> Threshold | None:
    """The last reading kept on the integration."""
    if integration.usage_used is None or integration.usage_limit is None:
        return None
    return Threshold(integration.usage_limit, MINUTES, integration.usage_used)


def remember(tenant_id: int, integration_id: int, reading: Threshold, read_at: datetime) -> None:
    """Keeps a reading, and pauses or resumes reading as it demands. Payments are never paused by it."""
    pace = budget.pace(reading, "read")
    stopped = pace.action == "stop"
    outside_transaction.run(
        tenant_id,
        REMEMBER,
        integration_id=integration_id,
        used=reading.used,
        limit=reading.limit,
        read_at=read_at,
        paused_until=clock.now() + timedelta(seconds=pace.seconds) if stopped else None,
        reason=pace.reason if stopped else None,
    )


def add_own_calls(integration: Integration, calls: int) -> None:
    """Counts calls that took no place, those of the test before saving. The caller commits."""
    row = insert(ApiUsage).values(
        tenant_id=integration.tenant_id,
        integration_id=integration.id,
        minute=clock.now().replace(second=0, microsecond=0),
        calls=calls,
    )
    db.session.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "integration_id", "minute"],
            set_={"calls": ApiUsage.calls + row.excluded.calls},
        )
    )


def own_calls(integration: Integration) -> int:
    """How many calls this portal made for the integration in the last 60 minutes."""
    return calls_of_the_hour(integration)[0]


def everybodys_calls(integration: Integration) -> int:
    """At least so many calls all tools made in the last 60 minutes: Autotask's count and our own since it was read."""
    return calls_of_the_hour(integration)[1]


def calls_of_the_hour(integration: Integration) -> tuple[int, int]:
    """Our own and everybody's, in whole minutes: those in which the hour began and the count was read are left out.

    A count older than the hour says nothing any more; then only our own are known.
    """
    hour, read_at = clock.now() - timedelta(minutes=MINUTES), integration.usage_read_at
    values = {"integration_id": integration.id, "hour": hour, "since": read_at or hour}
    counted: Any = outside_transaction.read(integration.tenant_id, OWN_CALLS, **values)[0]
    own, since = counted
    if read_at is None or read_at < hour:
        return own, own
    return own, max(own, (integration.usage_used or 0) + since)
