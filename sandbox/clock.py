"""The sandbox's own time, which can be set and moved."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta


class Clock:
    """UTC time that runs on from wherever it was set. Safe to use from several threads."""

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._stands_at: datetime | None = None
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        with self._lock:
            return self._stands_at or datetime.now(UTC) + self._offset

    def today(self) -> date:
        return self.now().date()

    def set(self, moment: datetime | date | str, frozen: bool = False) -> None:
        """Sets the time; `frozen` makes it stand until it is set or moved again."""
        aware = _instant(moment)
        with self._lock:
            self._offset = aware - datetime.now(UTC)
            self._stands_at = aware if frozen else None

    def advance(self, seconds: float) -> None:
        """Moves the time on (or back, with a negative number)."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)
            if self._stands_at is not None:
                self._stands_at += timedelta(seconds=seconds)

    def reset(self) -> None:
        """Back to real time."""
        with self._lock:
            self._offset, self._stands_at = timedelta(0), None

    def seconds(self) -> float:
        """The time as a number, for counting calls."""
        return self.now().timestamp()


def _instant(moment: datetime | date | str) -> datetime:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def pause(seconds: float, stopped: threading.Event) -> None:
    """Waits in real time, ended at once when the sandbox stops."""
    if seconds > 0:
        stopped.wait(seconds)


def monotonic() -> float:
    return time.monotonic()
