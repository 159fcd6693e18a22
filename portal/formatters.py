"""How values look on pages and in exports: money, counts, dates, instants, durations, CSV cells."""

import re
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import g, has_app_context

from portal import clock
from portal.money import COMMA_POINT, NUMBER_FORMATS, NumberFormat, plain, rounded

NOTHING = "–"
CHOSEN = ("time_zone", "date_format", "number_format")
# How a partner can have its dates, with an example.
DATE_FORMATS = {
    "day_month_year": "19 Nov 2026",
    "month_day_year": "Nov 19, 2026",
    "year_month_day": "2026-11-19",
}
# How a partner can have its numbers, with an example.
NUMBER_EXAMPLES = {name: style.grouped("1234.50") for name, style in NUMBER_FORMATS.items()}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KEPT_DAY = re.compile(r"\d{4}-\d\d-\d\d")
KEPT_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
KEPT_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]+)?")
KEPT_AMOUNT = re.compile(r"-?\d{1,14}\.\d{2,6}")
STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def amount(value: Decimal | None, currency: str = "USD") -> str:
    """`1,204.50`, `-3.00`, `0.00`: thousands separated, with the currency's own decimals."""
    return NOTHING if value is None else number_format().grouped(plain(value, currency))


def rate(value: Decimal, currency: str) -> str:
    """`3.125`, `95.00`: what one costs, with the decimals that it has, so that the price can be reckoned from it."""
    return amount(value, currency) if rounded(value, currency) == value else digits(value)


def as_typed(value: Decimal, currency: str) -> str:
    """`1204.50`, as a person would type it into a form here: `money.parse_amount` reads it in the same format."""
    return number_format().typed(plain(value, currency))


class Chooses(Protocol):
    """Who says how times, dates and numbers are written: a partner."""

    time_zone: Any
    date_format: Any
    number_format: Any


@contextmanager
def written_for(partner: Chooses) -> Iterator[None]:
    """While it lasts, times, dates and numbers are written as the partner chose: in mails and notices, outside a request."""
    before = {name: g.get(name) for name in CHOSEN if name in g}
    choose_for(partner)
    try:
        yield
    finally:
        for name in CHOSEN:
            g.pop(name, None)
        for name, value in before.items():
            setattr(g, name, value)


def choose_for(partner: Chooses) -> None:
    """From now on, in this request, times, dates and numbers are written as the partner chose."""
    for name in CHOSEN:
        setattr(g, name, getattr(partner, name))


def number_format() -> NumberFormat:
    """How the partner of this request writes numbers (`g.number_format`); else 1,234.50."""
    chosen = g.get("number_format") if has_app_context() else None
    return NUMBER_FORMATS.get(chosen or "", COMMA_POINT)


def digits(value: Decimal) -> str:
    """`1,204.125`, `2`: a number that is no amount, with the decimals that it has."""
    text = format(value, "f")
    return number_format().grouped(text.rstrip("0").rstrip(".") if "." in text else text)


def money(value: Decimal | None, currency: str) -> str:
    """`1,204.50 USD` (the space never breaks), where no heading already names the currency."""
    return NOTHING if value is None else f"{amount(value, currency)}\N{NO-BREAK SPACE}{currency}"


def kept(text: str) -> str:
    """A day, an instant or an amount that was kept as text, as pages show it; other text as it is."""
    try:
        if KEPT_AMOUNT.fullmatch(text):
            return number_format().grouped(text)
        if KEPT_DAY.fullmatch(text):
            return day(date.fromisoformat(text))
        if KEPT_INSTANT.fullmatch(text):
            return instant(datetime.fromisoformat(text), False, True)
    except ValueError:
        pass
    return text


def kept_amount(text: str) -> str:
    """An amount that was kept as text, whole ones too, as pages show it; other text as it is."""
    return number_format().grouped(text) if KEPT_NUMBER.fullmatch(text) else text


def count(value: int | Sized | None) -> str:
    """`31,004`, of a number or of anything with a length."""
    if value is None:
        return NOTHING
    return number_format().grouped(str(value if isinstance(value, int) else len(value)))


def plural(value: int | Sized, one: str, many: str | None = None) -> str:
    """`1 invoice`, `1,204 invoices`."""
    number = value if isinstance(value, int) else len(value)
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def day(value: date | None) -> str:
    """`19 Nov 2026`, or as the partner of this request chose (`g.date_format`). A date is never shifted; an instant is shown as its day in the partner's zone."""
    if value is None:
        return NOTHING
    local = value.astimezone(zone()) if isinstance(value, datetime) else value
    day_, month_, year = local.day, MONTHS[local.month - 1], local.year
    chosen = g.get("date_format") if has_app_context() else None
    if chosen == "year_month_day":
        return f"{year}-{local.month:02}-{day_:02}"
    return f"{month_} {day_}, {year}" if chosen == "month_day_year" else f"{day_} {month_} {year}"


def month(value: date | None) -> str:
    """`Nov 2026`."""
    return NOTHING if value is None else f"{MONTHS[value.month - 1]} {value.year}"


def how_paid(method: str) -> str:
    """`Check`, `ACH`: how money came; `Set in Autotask` where only a paid date there says that it did."""
    return {"ach": "ACH", "settled": "Set in Autotask"}.get(method, method.capitalize())


def clock_time(value: datetime | None, seconds: bool = False) -> str:
    """`10:42` or `10:42:07` in the partner's zone."""
    if value is None:
        return NOTHING
    return value.astimezone(zone()).strftime("%H:%M:%S" if seconds else "%H:%M")


def instant(value: datetime | None, seconds: bool = False, with_zone: bool = False) -> str:
    """`19 Nov 2026, 10:42`, and the zone after it where no heading names it."""
    if value is None:
        return NOTHING
    text = f"{day(value)}, {clock_time(value, seconds)}"
    return f"{text} {zone_name(value)}" if with_zone else text


def since(value: datetime | None) -> str:
    """`14:02 CET` of today, else `19 Nov 2026, 14:02 CET`."""
    if value is None:
        return NOTHING
    if day(value) == day(clock.now()):
        return f"{clock_time(value)} {zone_name(value)}"
    return instant(value, with_zone=True)


def iso(value: date | datetime | None) -> str:
    """Machine-readable form for `<time datetime>` and exports; instants in UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return value.isoformat()


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """`3 minutes ago`; what is less than a minute away is `just now`."""
    if value is None:
        return "never"
    text = _span((now or clock.now()) - value)
    return f"{text} ago" if text else "just now"


def ahead(value: datetime | None, now: datetime | None = None) -> str:
    """`in 3 minutes`, and `now` once it is there."""
    if value is None:
        return NOTHING
    text = _span(value - (now or clock.now()))
    return f"in {text}" if text else "now"


def duration(seconds: float | timedelta | None) -> str:
    """`under 1 s`, `41 s`, `2 min 5 s`, `1 h 4 min`."""
    if seconds is None:
        return NOTHING
    total = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    if total < 60:
        return f"{total} s" if total >= 1 else "under 1 s"
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{count(hours)} h {minutes} min" if minutes else f"{count(hours)} h"


def size(octets: int | None) -> str:
    """`118 kB`, `1.2 MB`."""
    if octets is None:
        return NOTHING
    return (
        f"{number_format().typed(f'{octets / 1e6:.1f}')} MB"
        if octets >= 1e6
        else f"{max(1, round(octets / 1e3))} kB"
    )


def zone() -> tzinfo:
    """The zone that pages show times in: `g.time_zone` (a name or a tzinfo) of this request, else UTC."""
    chosen: Any = g.get("time_zone") if has_app_context() else None
    if isinstance(chosen, tzinfo):
        return chosen
    try:
        return ZoneInfo(chosen) if chosen else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def zone_name(at: datetime | None = None) -> str:
    """`CET`, or `UTC+03` where the zone has no letters of its own."""
    name = (at or clock.now()).astimezone(zone()).tzname() or "UTC"
    return name if name[0].isalpha() else f"UTC{name}"


def _span(distance: timedelta) -> str:
    seconds = int(distance.total_seconds())
    for length, word in STEPS:
        if seconds >= length:
            return plural(seconds // length, word)
    return ""


FILTERS = (
    amount,
    rate,
    as_typed,
    digits,
    money,
    count,
    plural,
    day,
    month,
    how_paid,
    clock_time,
    instant,
    since,
    iso,
    ago,
    ahead,
    duration,
    size,
)
