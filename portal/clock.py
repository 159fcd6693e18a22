"""The only place that reads the time, so that tests can travel in it."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """This instant, aware, in UTC."""
    return datetime.now(UTC)


def today(zone_name: str) -> date:
    """The calendar day it is now in a zone like "Europe/Berlin"; ZoneInfoNotFoundError for an unknown one."""
    return now().astimezone(ZoneInfo(zone_name)).date()


def monotonic() -> float:
    """Seconds on a clock that never goes back, for deadlines and durations only."""
    return time.monotonic()
