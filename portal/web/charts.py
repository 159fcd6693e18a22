"""How long the bars of a chart are, in percent."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple


class Scaled(NamedTuple):
    item: Any
    share: float
    rest: float


def share_of(part: float | Decimal, whole: float | Decimal) -> float:
    """The part in percent, 0 to 100; 0 of nothing."""
    return min(max(float(part) / float(whole) * 100, 0.0), 100.0) if whole > 0 else 0.0


def scaled(items: Sequence[Any]) -> list[Scaled]:
    """Each with its share of the largest amount, and what is missing to it; nothing is shorter than nothing."""
    amounts = [item["amount"] if isinstance(item, Mapping) else item.amount for item in items]
    shares = [share_of(amount, max(amounts)) for amount in amounts]
    return [Scaled(item, share, 100 - share) for item, share in zip(items, shares, strict=True)]
