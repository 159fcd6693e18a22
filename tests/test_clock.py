"""Time has one source, in UTC; days belong to a zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfoNotFoundError

import pytest
import time_machine

from portal import clock


@time_machine.travel(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), tick=False)
def test_now_is_aware_and_in_utc():
    assert clock.now() == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 3, 29)),
        ("America/New_York", date(2026, 3, 28)),
        ("Pacific/Kiritimati", date(2026, 3, 29)),
        ("Pacific/Pago_Pago", date(2026, 3, 28)),
    ],
)
@time_machine.travel(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), tick=False)
def test_today_is_the_day_in_the_partners_zone(zone, day):
    """Rule 4.4."""
    assert clock.today(zone) == day


def test_an_unknown_zone_is_an_error():
    with pytest.raises(ZoneInfoNotFoundError):
        clock.today("Mars/Olympus")
