"""What both sides of an exception hold, side by side, in words."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from portal import formatters
from portal.models import ExceptionItem

DAY, AMOUNT = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"-?\d{1,14}\.\d{1,6}")


def both_values(item: ExceptionItem) -> list[dict[str, Any]]:
    """Fields that both sides name, ours beside Autotask's."""
    return [
        {
            "label": in_words(name),
            "ours": _shown(ours, _currency(item)),
            "theirs": _shown(item.theirs[name], _currency(item)),
            "state": "agrees" if ours == item.theirs[name] else "differs",
        }
        for name, ours in item.ours.items()
        if name in item.theirs
    ]


def one_sided(item: ExceptionItem) -> list[tuple[str, str]]:
    """What only one side says, with where it stands."""
    found = []
    for where, mine, other in (("here", item.ours, item.theirs), ("in Autotask", item.theirs, item.ours)):
        for name, value in mine.items():
            if name not in other and name not in ("autotask_ids", "candidates", "candidates_found"):
                found.append((f"{in_words(name)} {where}", _shown(value, _currency(item))))
    return found


def amount_of(candidate: Mapping[str, Any]) -> str:
    """What a candidate of a match is about."""
    return _shown(candidate.get("amount_due"), str(candidate.get("currency") or ""))


def _currency(item: ExceptionItem) -> str:
    """The one both sides speak of; nothing where they differ, because then it is a value of its own."""
    named = {side["currency"] for side in (item.ours, item.theirs) if isinstance(side.get("currency"), str)}
    return named.pop() if len(named) == 1 else ""


def in_words(name: str) -> str:
    """`invoiceTotal` and `amount_due` as "Invoice total" and "Amount due"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").capitalize()


def _shown(value: Any, currency: str = "") -> str:
    """A value as a person reads it: days and amounts as on every other page."""
    if isinstance(value, str) and DAY.fullmatch(value):
        return formatters.day(date.fromisoformat(value))
    if isinstance(value, str) and AMOUNT.fullmatch(value):
        return formatters.money(Decimal(value), currency) if currency else formatters.amount(Decimal(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)[:200]
