"""F19 to F26 and F30: what stands in a record. They last until they are cleared.

`id` picks the record, `every` takes all; else the first of each answer is hit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults import values
from sandbox.faults.edits import edited, rows_in
from sandbox.faults.kinds import Kind, register
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault

Edit = Callable[[dict[str, Any], str, Any], None]
WHICH = {"id": None, "every": False}


def _entity(call: Call) -> str:
    segments = [one for one in call.path.lower().split("/") if one]
    for name in values.FIELDS:
        if name.lower() in segments:
            return name
    return ""


def _chosen(rule: Fault, rows: list[Any]) -> list[dict[str, Any]]:
    wanted = rule.params["id"]
    if wanted is not None:
        return [row for row in rows if row.get("id") == int(wanted)]
    return rows if rule.params["every"] else rows[:1]


def _field(rule: Fault, call: Call, kind: str) -> str:
    return str(rule.params.get("field") or values.FIELDS.get(_entity(call), {}).get(kind, ""))


def _editing(kind: str, edit: Edit) -> Callable[[Fault, World, Call, Answer], Answer]:
    def reshape(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
        field = _field(rule, call, kind)

        def change(document: Any) -> None:
            for row in _chosen(rule, rows_in(document)):
                edit(row, field, rule.params["value"])

        return edited(answer, change)

    return reshape


def _set_raw(table: dict[str, Any]) -> Edit:
    """Sets the field to the named value of a table, or to the text itself; "missing" takes the field away."""

    def edit(row: dict[str, Any], field: str, value: Any) -> None:
        if value == "missing":
            row.pop(field, None)
        elif field:
            row[field] = table.get(value, value) if isinstance(value, str) else value

    return edit


def _money(row: dict[str, Any], field: str, value: Any) -> None:
    if field:
        row[field] = values.Raw(str(value))


def _drift(row: dict[str, Any], field: str, value: str) -> None:
    if value == "unknown_field":
        row["zzNewField"] = {"nested": [1, 2, 3]}
    elif value == "renamed" and field in row:
        row[f"{field}New"] = row.pop(field)
    elif field in row:
        row[field] = {"value": row[field]} if value == "object" else [row[field]]


def _add(number: str, name: str, says: str, kind: str, edit: Edit, value: Any, choices: Any = None) -> None:
    register(
        Kind(
            number,
            name,
            says,
            {"value": value, "field": "", **WHICH},
            times=0,
            verb="read",
            reshape=_editing(kind, edit),
            choices={"value": tuple(choices)} if choices else {},
        )
    )


_add(
    "F20",
    "bad_amount",
    "an amount that is none",
    "money",
    _set_raw(values.AMOUNTS),
    "comma",
    values.AMOUNT_NAMES,
)
_add("F21", "many_decimals", "an amount between two cents", "money", _money, "52.7775")
_add("F22", "odd_total", "a negative or zero total", "money", _money, "-120.5")
_add(
    "F24",
    "drift",
    "a field added, renamed, or of another shape",
    "money",
    _drift,
    "unknown_field",
    ("unknown_field", "renamed", "object", "list"),
)
_add("F25", "bad_date", "a date out of this world", "date", _set_raw(values.DATES), "year_one")
_add(
    "F26",
    "paid_date_with_time",
    "a paid date with time or zone",
    "paid",
    _set_raw({}),
    "2026-11-20T23:59:59.997Z",
)
_add("F30", "hostile_text", "text that attacks whoever shows it", "text", _set_raw(values.HOSTILE), "formula")
_add("F19", "odd_text", "characters that break storage or display", "text", _set_raw(values.ODD_TEXT), "nul")
