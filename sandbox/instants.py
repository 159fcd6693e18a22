"""Dates and times as the sandbox keeps them: ISO text in UTC without zone, as short as it can be."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

_FRACTION = re.compile(r"\.(\d{1,9})")


def stored(value: Any) -> str | None:
    """Stored text of an instant given as datetime, date or ISO text; None stays None.

    Zones are turned to UTC, fractions cut to milliseconds. Raises ValueError for what is no date.
    """
    if value is None or value == "":
        return None
    moment = value if isinstance(value, datetime) else _parsed(value)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    text = moment.isoformat(timespec="milliseconds")
    return text.rstrip("0").rstrip(".") if not text.endswith(".000") else text[:-4]


def _parsed(value: Any) -> datetime:
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str):
        raise ValueError(f"not a date: {value!r}")
    text = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), value.strip(), count=1)
    return datetime.fromisoformat(text)


def with_offset(value: Any) -> None:
    """Raises ValueError for ISO text that does not say which offset it is in."""
    if value not in (None, "") and _parsed(value).tzinfo is None:
        raise ValueError(f"no offset: {value!r}")


def stored_date(value: Any) -> str | None:
    """Midnight of the date as written, with no zone conversion: how Autotask keeps date-only fields."""
    if value is None or value == "":
        return None
    moment = value if isinstance(value, datetime) else _parsed(value)
    return f"{moment.date().isoformat()}T00:00:00"
