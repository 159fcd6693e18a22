"""Days as people write them in a file: one order of day, month and year for the whole file, never guessed a row."""

import re
from datetime import date
from enum import StrEnum

from babel import Locale, UnknownLocaleError
from babel.core import get_global

WRITTEN = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})", re.ASCII)
WITHOUT_A_COUNTRY = {"USD": "US"}


class Order(StrEnum):
    """Which part comes first. A year of four digits in front is read as such in every order."""

    MONTH_FIRST = "month"
    DAY_FIRST = "day"
    YEAR_FIRST = "year"

    @property
    def words(self) -> str:
        return {"month": "the month first", "day": "the day first", "year": "the year first"}[self.value]

    @property
    def example(self) -> str:
        return {"month": "11/19/2026", "day": "19/11/2026", "year": "2026-11-19"}[self.value]


def usual(time_zone: str, currency: str) -> Order:
    """How a partner's own people write days: by the country of its time zone, else of its currency."""
    canonical = get_global("zone_aliases").get(time_zone, time_zone)
    country = get_global("zone_territories").get(canonical, "")
    if country in ("", "ZZ", "001"):
        country = WITHOUT_A_COUNTRY.get(currency, "")
    try:
        pattern = Locale.parse(f"und_{country}").date_formats["short"].pattern.lower()
    except (UnknownLocaleError, ValueError):
        return Order.YEAR_FIRST
    first = min("ymd", key=pattern.find)
    return {"y": Order.YEAR_FIRST, "m": Order.MONTH_FIRST, "d": Order.DAY_FIRST}[first]


def read(words: str, order: Order) -> date | None:
    """A day with a year of four digits, in this order or with the year first; None for anything else."""
    found = WRITTEN.fullmatch(words)
    if found is None:
        return None
    first, last = found[1], found[4]
    try:
        if len(first) == 4 and len(last) <= 2:
            return date(int(first), int(found[3]), int(last))
        if len(last) != 4 or len(first) > 2 or order == Order.YEAR_FIRST:
            return None
        day, month = (found[3], first) if order == Order.MONTH_FIRST else (first, found[3])
        return date(int(last), int(month), int(day))
    except ValueError:
        return None


def is_plain(words: str) -> bool:
    """The year stands in front: every order reads it alike."""
    return read(words, Order.YEAR_FIRST) is not None


def refusal(words: str, order: Order) -> str:
    """Why a cell is no day in this order, and what to do."""
    other = Order.DAY_FIRST if order == Order.MONTH_FIRST else Order.MONTH_FIRST
    if not words:
        return "The date is missing."
    if read(words, other) is not None:
        return f"“{words}” is no date with {order.words}. If the file writes {other.words}, choose that beside the file."
    return f"Write the date like {order.example}{'' if order == Order.YEAR_FIRST else ' or 2026-11-19'}."
