"""What both sides of an exception hold, side by side, in words."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from portal import formatters
from portal.models import ExceptionItem, Invoice

DAY, AMOUNT = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"-?\d{1,14}\.\d{1,6}")
# Told by other means: a list of candidates, and the tries on the delivery's own page.
UNSHOWN = {"autotask_ids", "candidates", "candidates_found", "attempts"}


def both_values(item: ExceptionItem, invoice: Invoice | None = None) -> list[dict[str, Any]]:
    """Fields that both sides name, ours beside Autotask's; the only candidate of a match is Autotask's side."""
    there = _there(item)
    return [
        {
            "label": in_words(name),
            "ours": _shown(ours, _currency(item, invoice)),
            "theirs": _shown(there[name], str(there.get("currency") or _currency(item, invoice))),
            "state": "agrees" if ours == there[name] else "differs",
        }
        for name, ours in item.ours.items()
        if name in there
    ]


def one_sided(item: ExceptionItem, invoice: Invoice | None = None) -> list[tuple[str, str]]:
    """What only one side says, with where it stands."""
    found = []
    for where, mine, other in (("here", item.ours, _there(item)), ("in Autotask", item.theirs, item.ours)):
        for name, value in mine.items():
            if name not in other and name not in UNSHOWN:
                found.append((f"{in_words(name)} {where}", _shown(value, _currency(item, invoice))))
    return found


def _there(item: ExceptionItem) -> dict[str, Any]:
    found = item.theirs.get("candidates") or []
    return {**item.theirs, **(found[0] if len(found) == 1 else {})}


def amount_of(candidate: Mapping[str, Any]) -> str:
    """What a candidate of a match is about."""
    return _shown(candidate.get("amount_due"), str(candidate.get("currency") or ""))


def _currency(item: ExceptionItem, invoice: Invoice | None) -> str:
    """The one both sides speak of, else the invoice's; nothing where they differ: then it is a value of its own."""
    named = {side["currency"] for side in (item.ours, item.theirs) if isinstance(side.get("currency"), str)}
    if not named and invoice is not None:
        return invoice.currency
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
