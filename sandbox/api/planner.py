"""Which rows a query must look at at all: the indexes, so that big tables answer at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any

from sandbox.api.filters import Condition, Group, Test, test_of
from sandbox.store.tables import Table

WHOLE = (-(2**63), 2**63)


@dataclass
class Plan:
    """Ascending candidate ids between two bounds (both included), and the test that each must pass."""

    ids: Sequence[int]
    low: int
    high: int
    test: Test | None

    def slice(self) -> tuple[int, int]:
        return bisect_left(self.ids, self.low), bisect_right(self.ids, self.high)


def plan(table: Table, items: list[Condition | Group]) -> Plan:
    """The cheapest way to answer a filter with the indexes there are."""
    flat = list(_flattened(items))
    low, high = WHOLE
    rest: list[Condition | Group] = []
    ids: Sequence[int] | None = None
    for item in flat:
        bounds = _bounds(item)
        held = None if bounds else _indexed(table, item)
        if bounds:
            low, high = max(low, bounds[0]), min(high, bounds[1])
        elif held is not None and (ids is None or len(held) < len(ids)):
            ids = held
            rest.append(item)
        else:
            rest.append(item)
    return Plan(table.ids if ids is None else ids, low, high, test_of(rest))


def _flattened(items: Iterable[Condition | Group]) -> Iterable[Condition | Group]:
    for item in items:
        if isinstance(item, Group) and (item.op == "and" or len(item.items) == 1):
            yield from _flattened(item.items)
        else:
            yield item


def _bounds(item: Condition | Group) -> tuple[int, int] | None:
    if isinstance(item, Group) or item.field.name != "id":
        return None
    value = item.value
    return {
        "eq": lambda: (value, value),
        "gt": lambda: (value + 1, WHOLE[1]),
        "gte": lambda: (value, WHOLE[1]),
        "lt": lambda: (WHOLE[0], value - 1),
        "lte": lambda: (WHOLE[0], value),
        "exist": lambda: WHOLE,
    }.get(item.op, lambda: None)()


def _indexed(table: Table, item: Condition | Group) -> Sequence[int] | None:
    if isinstance(item, Group) or item.udf_name:
        return None
    name = item.field.name
    if name == "id" and item.op == "in":
        return sorted(key for key in item.value if key in table.rows)
    if name not in table.indexes:
        return None
    return _from_index(table, name, item.op, item.value)


def _from_index(table: Table, name: str, op: str, value: Any) -> Sequence[int] | None:
    if op == "eq":
        return table.ids_where(name, value)
    if op == "notExist":
        return table.ids_where(name, None)
    if op == "in":
        return list(merge(*(table.ids_where(name, one) for one in value)))
    return None
