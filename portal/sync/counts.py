"""What a run tells about each item: found, created, changed, unchanged, skipped because, failed."""

from typing import Any

from portal.sync import record_kinds

CUSTOMERS, CONTACTS, INVOICES, LINES = (kind.counted for kind in record_kinds.ALL)
PDFS = "pdfs"
ITEMS = (CUSTOMERS, CONTACTS, INVOICES, LINES, PDFS)
NUMBERS = ("found", "created", "changed", "unchanged", "skipped", "failed")

Items = dict[str, dict[str, Any]]


def none_yet() -> Items:
    """Zero of everything."""
    return {item: {**dict.fromkeys(NUMBERS, 0), "skipped_because": {}} for item in ITEMS}


def add(items: Items, item: str, **numbers: int) -> None:
    """Adds to the numbers of one item; a number not in NUMBERS (such as `removed`) starts at zero."""
    held = items[item]
    for name, number in numbers.items():
        if number:
            held[name] = held.get(name, 0) + number


def skip(items: Items, item: str, reason: str, number: int = 1) -> None:
    """Counts records that were left out for a reason, in words for a person."""
    if number:
        because = items[item]["skipped_because"]
        because[reason] = because.get(reason, 0) + number
        items[item]["skipped"] += number


def total(items: Items, *numbers: str) -> int:
    """The sum of these numbers over all items."""
    return sum(held.get(name, 0) for held in items.values() for name in numbers)
