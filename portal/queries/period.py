"""The month that is looked at, and the day as of which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import g

from portal import clock

EARLIEST, LATEST = date(1990, 1, 1), date(2100, 12, 1)
NOW = "infinity"


@dataclass(frozen=True)
class Period:
    """A month, as it stood at the end of `as_of` in the partner's zone (None: as it stands now)."""

    first: date
    as_of: date | None
    zone: str

    @property
    def last(self) -> date:
        return self.next - timedelta(days=1)

    @property
    def next(self) -> date:
        return (self.first.replace(day=28) + timedelta(days=4)).replace(day=1)

    @property
    def previous(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def until(self) -> datetime | str:
        """What happened before this instant counts."""
        if self.as_of is None:
            return NOW
        midnight = datetime.combine(self.as_of + timedelta(days=1), time(), ZoneInfo(self.zone))
        return midnight.astimezone(UTC)


def period_from(args: Mapping[str, str], today: date, zone: str) -> Period:
    """The month and date of an address; what cannot be read counts as this month, as it stands now."""
    first = _day(f"{args.get('month', '')}-01") or today
    as_of = _day(args.get("as_of", ""))
    if not EARLIEST <= first <= LATEST:
        first = today
    return Period(first.replace(day=1), as_of if as_of and EARLIEST <= as_of < today else None, zone)


def is_month(text: str) -> bool:
    found = _day(f"{text}-01")
    return found is not None and EARLIEST <= found <= LATEST


def is_past_day(text: str) -> bool:
    """Today itself is how things stand now."""
    found = _day(text)
    return found is not None and EARLIEST <= found <= clock.today(g.partner.time_zone)


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None
