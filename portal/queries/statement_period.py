"""The days that a customer's statement tells of, as an address names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from portal.queries.period import EARLIEST

LATEST = date(2100, 12, 31)


@dataclass(frozen=True)
class Span:
    """From the first day to the last one, both of them in it."""

    first: date
    last: date

    @property
    def is_from_the_beginning(self) -> bool:
        return self.first == EARLIEST

    @property
    def args(self) -> dict[str, str]:
        return {"from": self.first.isoformat(), "until": self.last.isoformat()}


@dataclass(frozen=True)
class Asked:
    """What an address asks for: a span, or (None) what is open; `fault` says what of it could not be read."""

    span: Span | None
    fault: str = ""

    @property
    def args(self) -> dict[str, str]:
        """What names it in an address."""
        return self.span.args if self.span else {}


def asked(args: Mapping[str, str], today: date) -> Asked:
    """A missing first day is the beginning of the books, a missing last day is today."""
    given = {name: args.get(name, "").strip() for name in ("from", "until")}
    if not any(given.values()):
        return Asked(None)
    days = {name: _day(words) for name, words in given.items() if words}
    for name, found in days.items():
        if found is None:
            return Asked(None, f"{name}: send a day from {EARLIEST} to {LATEST}, like 2026-11-30.")
    first, last = days.get("from") or EARLIEST, days.get("until") or max(today, days.get("from") or today)
    if first > last:
        return Asked(None, "The first day is after the last one.")
    return Asked(Span(first, last))


def presets(today: date) -> tuple[tuple[str, Span], ...]:
    """Spans that are asked for often, with what they are called."""
    this = today.replace(day=1)
    before = this - timedelta(days=1)
    return (
        ("This month", Span(this, today)),
        ("Last month", Span(before.replace(day=1), before)),
        ("This year", Span(today.replace(month=1, day=1), today)),
        ("Last year", Span(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))),
    )


def _day(words: str) -> date | None:
    try:
        found = date.fromisoformat(words)
    except ValueError:
        return None
    return found if EARLIEST <= found <= LATEST and len(words) == 10 else None
