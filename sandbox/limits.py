"""Autotask's limits: calls in a rolling hour for the whole database, and three threads per endpoint."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from sandbox.api.messages import Refusal
from sandbox.clock import Clock
from sandbox.switches import Switches

THREAD_TEXT = (
    "The thread threshold of 3 threads has been exceeded for this API tracking identifier and endpoint. "
    "Please wait for running requests to complete. (Itgenatr005)"
)
OVER_TEXT = (
    "The external request threshold has been exceeded. API access is disabled until usage falls below it."
)


class Usage:
    """How many calls were made in the last hour, ours and other integrations'."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, calls: int = 1) -> None:
        """Counts calls at this moment; other integrations' use comes in here too."""
        with self._lock:
            self._calls.append((self._clock.seconds(), calls))
            self._sum += calls

    def current(self) -> int:
        """Calls inside the rolling window. Moving the clock on lets them run out."""
        oldest = self._clock.seconds() - self._switches.timeframe_minutes * 60
        with self._lock:
            while self._calls and self._calls[0][0] <= oldest:
                self._sum -= self._calls.popleft()[1]
            return max(0, self._sum)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()
            self._sum = 0

    def delay(self) -> float:
        """Autotask's latency tier: half a second from 50 % of the limit, a whole one from 75 %."""
        share = self.current() / self._switches.threshold if self._switches.threshold else 1.0
        tier = 1.0 if share >= 0.75 else 0.5 if share >= 0.5 else 0.0
        return tier * self._switches.latency

    def over(self) -> bool:
        return self.current() >= self._switches.threshold


class Parallel:
    """Calls now running and the most ever seen at once, per endpoint and tracking identifier."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._lock = threading.Lock()
        self._running: Counter[tuple[str, str]] = Counter()
        self._most: Counter[str] = Counter()

    @contextmanager
    def running(self, endpoint: str, tracking: str) -> Iterator[bool]:
        """Holds one place; gives False when that makes more than Autotask allows."""
        key = (endpoint, tracking)
        with self._lock:
            self._running[key] += 1
            count = self._running[key]
            self._most[endpoint] = max(self._most[endpoint], count)
        try:
            yield self._switches.threads == 0 or count <= self._switches.threads
        finally:
            with self._lock:
                self._running[key] -= 1

    def most(self, endpoint: str) -> int:
        return self._most[endpoint]

    def as_dict(self) -> dict[str, int]:
        return dict(self._most)

    def clear(self) -> None:
        with self._lock:
            self._most.clear()


def retry_after(switches: Switches) -> dict[str, str]:
    """The Retry-After header as the switch wants it."""
    if switches.retry_after == "absent":
        return {}
    if switches.retry_after == "date":
        moment = datetime.now(UTC) + timedelta(seconds=switches.retry_after_seconds)
        return {"Retry-After": format_datetime(moment, usegmt=True)}
    return {"Retry-After": str(switches.retry_after_seconds)}


def over_limit(switches: Switches) -> Refusal:
    return Refusal(switches.over_limit_status, OVER_TEXT, kind="over-limit")


def too_many_threads(switches: Switches) -> Refusal:
    return Refusal(switches.thread_limit_status, THREAD_TEXT, kind="thread-limit")
