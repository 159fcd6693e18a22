"""Conditions of Autotask's query language as plain dicts; a list of them means that all hold."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from portal.autotask.wire import moment

Condition = dict[str, Any]
Filter = Condition | list[Condition]

# Autotask refuses more than 500 OR conditions in a query and may count every value of an "in" as one, so 200
# leaves room for other conditions beside the list; smaller chunks would cost more of the hourly budget.
MOST_IDS = 200


def listed(wanted: Filter) -> list[Condition]:
    """The conditions as a list. An empty filter, which Autotask refuses, becomes "everything"."""
    conditions = [wanted] if isinstance(wanted, dict) else list(wanted)
    return conditions or [everything()]


def everything() -> Condition:
    """All rows, ID 0 (the partner's own company) included."""
    return {"op": "gte", "field": "id", "value": 0}


def id_above(n: int) -> Condition:
    return {"op": "gt", "field": "id", "value": n}


def id_up_to(n: int) -> Condition:
    return {"op": "lte", "field": "id", "value": n}


def equals(field: str, value: int | str | bool) -> Condition:
    return {"op": "eq", "field": field, "value": value}


def has_user_defined(name: str, value: str) -> Condition:
    """Autotask takes one such condition in a query."""
    return {"op": "eq", "field": name, "value": value, "udf": True}


def since(field: str, instant: datetime) -> Condition:
    """At or after an aware instant."""
    return {"op": "gte", "field": field, "value": moment(instant)}


def modified_since(field: str, instant: datetime) -> Condition:
    """Companies: lastTrackedModifiedDateTime, contacts: lastModifiedDate; invoices have no such field."""
    return since(field, instant)


def created_since(instant: datetime) -> Condition:
    """Invoices made at or after an instant."""
    return since("createDateTime", instant)


def start_of(day: date, zone_name: str) -> datetime:
    """The first instant of a day in a zone."""
    return datetime.combine(day, time.min, ZoneInfo(zone_name))


def any_value(field: str, values: Iterable[int]) -> Condition:
    return {"op": "in", "field": field, "value": sorted(set(values))}


def ids_in(field: str, ids: Iterable[int]) -> Iterator[Condition]:
    """Conditions of at most 200 ids each, ascending, every id once; one query for each."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), MOST_IDS):
        yield {"op": "in", "field": field, "value": ordered[start : start + MOST_IDS]}


def all_of(*conditions: Condition) -> Condition:
    return {"op": "and", "items": list(conditions)}


def any_of(*conditions: Condition) -> Condition:
    return {"op": "or", "items": list(conditions)}


def unpaid_invoices() -> list[Condition]:
    """Neither paid nor voided. Both fields can be queried; dueDate and the tax region cannot."""
    return [{"op": "notExist", "field": "paidDate"}, equals("isVoided", False)]


def nonzero_total() -> Condition:
    return {"op": "noteq", "field": "invoiceTotal", "value": 0}
