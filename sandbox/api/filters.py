"""Filters: from Autotask's JSON to a test on rows, with the errors Autotask gives for what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox import instants
from sandbox.api.messages import invalid, shown
from sandbox.schema import Entity, Field, amount
from sandbox.store.rows import Row
from sandbox.switches import Switches

Test = Callable[[Row], bool]

COMPARISONS = ("eq", "noteq", "gt", "gte", "lt", "lte")
OPERATORS = {
    one.lower(): one
    for one in (*COMPARISONS, "beginsWith", "endsWith", "contains", "exist", "notExist", "in", "notIn")
}
TEXT_ONLY = {"beginsWith", "endsWith", "contains"}
MAX_OR_CONDITIONS = 500


@dataclass(frozen=True)
class Condition:
    """One comparison. `value` is already of the field's stored type (a set for in and notIn)."""

    op: str
    field: Field
    value: Any
    udf_name: str = ""


@dataclass(frozen=True)
class Group:
    op: str
    items: list[Condition | Group]


class FilterReader:
    """Reads one query's filter; counts OR conditions and UDF conditions over all of it."""

    def __init__(self, entity: Entity, udf_names: set[str], switches: Switches) -> None:
        self.entity = entity
        self.udf_names = {name.lower(): name for name in udf_names}
        self.switches = switches
        self.ors = 0
        self.udfs = 0

    def read(self, raw: Any) -> list[Condition | Group]:
        """The top-level list, an implicit AND. Raises Refusal for whatever Autotask refuses."""
        if not isinstance(raw, list) or not raw:
            raise invalid("Value cannot be null or empty. Parameter name: filter")
        items = [self._item(one, under_or=False, depth=0) for one in raw]
        if self.ors > MAX_OR_CONDITIONS:
            raise invalid("Queries are limited to 500 or fewer 'OR' conditions.")
        if self.udfs > 1:
            raise invalid("Only one User Defined Field condition is allowed per query.")
        return items

    def _item(self, raw: Any, under_or: bool, depth: int) -> Condition | Group:
        if not isinstance(raw, dict) or depth > 60:
            raise invalid("Error converting value to type 'Filter'.")
        item = {str(key).lower(): value for key, value in raw.items()}
        op = item.get("op")
        if not isinstance(op, str):
            raise invalid("The filter operator cannot be null.")
        if op.lower() in ("and", "or"):
            return self._group(op.lower(), item.get("items"), under_or, depth)
        self.ors += under_or
        return self._condition(op, item)

    def _group(self, op: str, items: Any, under_or: bool, depth: int) -> Group:
        if not isinstance(items, list) or not items:
            raise invalid(f"The '{op}' operator needs a list of items.")
        under = under_or or op == "or"
        return Group(op, [self._item(one, under, depth + 1) for one in items])

    def _condition(self, raw_op: str, item: dict[str, Any]) -> Condition:
        op = OPERATORS.get(raw_op.lower())
        if op is None or (self.switches.operator_case == "sensitive" and op != raw_op):
            raise invalid(f"Operator '{raw_op}' is not supported.")
        if item.get("udf") is True:
            return self._udf_condition(op, item)
        found = self.entity.find(str(item.get("field") or ""))
        if found is None or found.type == "udf":
            raise invalid(f"Unable to find {shown(item.get('field'))} in the {self.entity.single} Entity.")
        if not found.queryable:
            raise invalid(f"The field {found.name} is not queryable on the {self.entity.single} Entity.")
        return Condition(op, found, self._value(op, found, item.get("value")))

    def _udf_condition(self, op: str, item: dict[str, Any]) -> Condition:
        self.udfs += 1
        name = self.udf_names.get(str(item.get("field") or "").lower())
        if name is None:
            raise invalid(f"Unable to find {shown(item.get('field'))} in the {self.entity.single} Entity.")
        text = Field(name, "string")
        return Condition(op, text, self._value(op, text, item.get("value")), udf_name=name)

    def _value(self, op: str, field: Field, raw: Any) -> Any:
        if op in ("exist", "notExist"):
            return None
        if op in ("in", "notIn"):
            return self._values(op, field, raw)
        if op in TEXT_ONLY and field.type != "string":
            raise invalid(f"Operator '{op}' cannot be used on field {field.name}.")
        return self._converted(field, raw)

    def _converted(self, field: Field, raw: Any) -> Any:
        return _converted(field, raw, self.switches.dates_written)

    def _values(self, op: str, field: Field, raw: Any) -> frozenset[Any]:
        if not isinstance(raw, list) or not raw:
            raise invalid(f"Operator '{op}' needs a list of values for field {field.name}.")
        if len(raw) > self.switches.in_limit:
            raise invalid("Queries are limited to 500 or fewer 'OR' conditions.")
        return frozenset(self._converted(field, one) for one in raw)


def _converted(field: Field, raw: Any, dates_written: str) -> Any:
    """A filter value in the type of the stored field. Raises Refusal in SQL Server's words."""
    if raw is None:
        raise invalid(f"Value cannot be null. Parameter name: {field.name}")
    try:
        if field.type == "datetime" and dates_written == "offset":
            instants.with_offset(raw)
        return _CONVERT[field.type](raw)
    except (ValueError, TypeError, ArithmeticError) as error:
        kind = _SQL_TYPES[field.type]
        text = f"Conversion failed when converting the nvarchar value '{shown(raw)}' to data type {kind}."
        raise invalid(text) from error


def _integer(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError(raw)
    return int(raw)


def _number(raw: Any) -> Decimal:
    if isinstance(raw, bool):
        raise ValueError(raw)
    return amount(raw)


def _true_or_false(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(raw)
    return raw


def _words(raw: Any) -> str:
    if isinstance(raw, bool | list | dict):
        raise ValueError(raw)
    return str(raw).casefold()


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "long": _integer,
    "double": _number,
    "boolean": _true_or_false,
    "string": _words,
    "datetime": instants.stored,
}
_SQL_TYPES = {
    "integer": "int",
    "long": "bigint",
    "double": "decimal",
    "boolean": "bit",
    "string": "nvarchar",
    "datetime": "datetime",
}


def test_of(items: list[Condition | Group]) -> Test | None:
    """One test for all items (AND), or None when there is nothing to test."""
    tests = [_test(one) for one in items]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _test(item: Condition | Group) -> Test:
    if isinstance(item, Group):
        tests = [_test(one) for one in item.items]
        join = all if item.op == "and" else any
        return lambda row: join(test(row) for test in tests)
    compare, value, read = _COMPARE[item.op], item.value, _reader(item)
    if item.op == "exist":
        return lambda row: read(row) is not None
    if item.op == "notExist":
        return lambda row: read(row) is None
    return lambda row: (held := read(row)) is not None and compare(held, value)


def _reader(item: Condition) -> Callable[[Row], Any]:
    name = item.field.name
    if item.udf_name:
        return lambda row: _folded(dict(row.get("userDefinedFields") or ()).get(item.udf_name))
    if item.field.type == "string":
        return lambda row: _folded(row.get(name))
    return lambda row: row.get(name)


def _folded(value: Any) -> str | None:
    return None if value is None else str(value).casefold()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda held, value: held == value,
    "noteq": lambda held, value: held != value,
    "gt": lambda held, value: held > value,
    "gte": lambda held, value: held >= value,
    "lt": lambda held, value: held < value,
    "lte": lambda held, value: held <= value,
    "beginsWith": lambda held, value: held.startswith(value),
    "endsWith": lambda held, value: held.endswith(value),
    "contains": lambda held, value: value in held,
    "in": lambda held, value: held in value,
    "notIn": lambda held, value: held not in value,
    "exist": lambda held, value: held is not None,
    "notExist": lambda held, value: held is None,
}
