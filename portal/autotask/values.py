"""Single values of a raw row: strict about money and ids, forgiving about decoration. Hot code, kept short.

Each reader takes (row, key); what cannot be used raises Unusable, what can be left out is noted in `flags`.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from portal import money

Row = dict[str, Any]
Flags = list[str]

_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_ID = re.compile(r"[0-9]{1,19}")
_DIGITS = re.compile(r"-?[0-9]{1,11}(?:\.[0-9]{1,6})?", re.ASCII)
# C0 and C1 controls but tab and newline, marks and overrides of writing direction, BOM, lone surrogates.
_YES_OR_NO = {"1": True, "true": True, "0": False, "false": False}
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NEWLINES = re.compile("\r\n|[\r\u2028\u2029]")
_BREAKS = re.compile(r"[\r\n\t\u2028\u2029]+")


class Unusable(ValueError):
    """A value that spoils its row."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(field)
        self.field, self.value, self.reason = field, value, reason


def identity(row: Row, key: str) -> int:
    """An id from 0 (the partner's own company) to 2^63-1, also from a string of digits."""
    value = row.get(key)
    if type(value) is int and 0 <= value < 2**63:
        return value
    if isinstance(value, str) and _ID.fullmatch(value) and int(value) < 2**63:
        return int(value)
    raise Unusable(key, value, "is not an ID")


def positive_id(row: Row, key: str) -> int | None:
    """An id, or None for null, absent and 0 (Autotask's "not set")."""
    value = row.get(key)
    return identity(row, key) or None if value is not None else None


def whole(row: Row, key: str, flags: Flags) -> int | None:
    """A picklist value or count that fits a bigint, or None; digits in a string count."""
    value = row.get(key)
    if value is None or (type(value) is int and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip(), re.ASCII):
        return int(value)
    flags.append(f"{key} is not a whole number")
    return None


def amount(row: Row, key: str, flags: Flags) -> Decimal:
    """Money, exact as sent. Refused: null, text that is not digits, above 99999999999, over six decimals.

    The noise of a double (1234.5600000000001) is taken off and noted; nothing else is ever rounded.
    """
    value = row.get(key)
    if type(value) is int:
        value = Decimal(value)
    elif type(value) is not Decimal:
        value = _from_digits(value, key)
    try:
        return money.storable(value)
    except money.AmountError as error:
        meant = money.without_noise(value)
        if meant is None:
            raise Unusable(key, value, str(error)) from None
        flags.append(f"{key} came with the noise of a double")
        return meant


def measure(row: Row, key: str, flags: Flags) -> Decimal:
    """A quantity or rate: like money, but absent is 0, and more than six decimals are cut short and noted."""
    value = row.get(key)
    if value is None:
        flags.append(f"{key} is not given")
        return money.ZERO
    try:
        return amount(row, key, flags)
    except Unusable:
        short = money.shortened(value) if type(value) is Decimal else None
        if short is None:
            raise
        flags.append(f"{key} has more than six decimals")
        return short


def _from_digits(value: object, key: str) -> Decimal:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return Decimal(value)
    reason = "is missing" if value is None else "is not a number"
    raise Unusable(key, value, reason)


def day(row: Row, key: str, flags: Flags) -> date | None:
    """The calendar day before the "T", never shifted by a zone; None (noted) for none of 1990 to 2100."""
    value = row.get(key)
    if not value:
        return None
    found = _day(value) if type(value) is str else None
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        flags.append(f"{key} is not a usable date")
        return None
    return found


def decisive_day(row: Row, key: str, flags: Flags) -> date | None:
    """Like day(), for days that decide about money: what is no date at all spoils the row."""
    value = row.get(key)
    found = day(row, key, flags)
    if found is None and value and (type(value) is not str or _day(value) is None):
        raise Unusable(key, value, "is not a date")
    return found


def needed_day(row: Row, key: str, flags: Flags) -> date:
    found = day(row, key, flags)
    if found is None:
        raise Unusable(key, row.get(key), "is not a usable date")
    return found


@lru_cache(maxsize=4096)
def _day(value: str) -> date | None:
    if value[4:8:3] != "--" or value[10:11] not in ("", "T", " "):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def instant(row: Row, key: str, flags: Flags) -> datetime | None:
    """An aware UTC instant; without a zone it is UTC already. None (noted) for what cannot be used."""
    value = row.get(key)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        if _FIRST_YEAR <= found.year <= _LAST_YEAR and value[4:8:3] == "--" and value[11:13] != "24":
            if found.tzinfo is None:
                return found.replace(tzinfo=UTC)
            return found if found.tzinfo is UTC else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        pass
    flags.append(f"{key} is not a usable time")
    return None


def text(row: Row, key: str, most: int, flags: Flags) -> str:
    """One line without controls and marks of writing direction, at most `most` characters; "" for none."""
    value = row.get(key)
    if type(value) is str and len(value) <= most and value.isprintable():
        return value.strip()
    return _BREAKS.sub(" ", _cleaned(value, key, most, flags)).strip()


def prose(row: Row, key: str, most: int, flags: Flags) -> str:
    """Like text(), with line breaks kept as "\\n"."""
    value = row.get(key)
    if type(value) is str and len(value) <= most and value.isprintable():
        return value.strip()
    found = _cleaned(value, key, most, flags)
    return _NEWLINES.sub("\n", found).strip()


def _cleaned(value: object, key: str, most: int, flags: Flags) -> str:
    if value is None:
        return ""
    if type(value) is int:
        return str(value)[:most]
    if not isinstance(value, str):
        flags.append(f"{key} is not text")
        return ""
    found = _UNWANTED.sub("", value[: most * 2].strip())
    if len(found) > most or len(value) > most * 2:
        flags.append(f"{key} is longer than {most} characters")
    return found[:most]


def needed_text(row: Row, key: str, most: int, flags: Flags) -> str:
    found = text(row, key, most, flags)
    if not found:
        raise Unusable(key, row.get(key), "is empty")
    return found


def yes(row: Row, key: str) -> bool:
    """A boolean, sent as true/false, 1/0 or their strings; null and absent are no."""
    value = row.get(key)
    if value is True or value is False:
        return value
    return False if value is None else _yes_or_no(value, key)


def needed_yes(row: Row, key: str) -> bool:
    value = row.get(key)
    return value if value is True or value is False else _yes_or_no(value, key)


def _yes_or_no(value: object, key: str) -> bool:
    if type(value) is int and value in (0, 1):
        return value == 1
    if isinstance(value, str) and value.lower() in _YES_OR_NO:
        return _YES_OR_NO[value.lower()]
    raise Unusable(key, value, "is neither yes nor no")
