"""F23: ids that are missing, wrong or twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.edits import Raw, edited, rows_in
from sandbox.faults.kinds import Kind, register
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault

BAD = {"zero": 0, "negative": -17, "text": None, "huge": Raw(str(2**63))}
CHOICES = ("missing", *BAD, "twice_in_page", "twice_across_pages")


def _ids(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    def change(document: Any) -> None:
        rows = rows_in(document)
        if rows:
            _change(rule, document, rows)

    return edited(answer, change)


def _change(rule: Fault, document: Any, rows: list[Any]) -> None:
    value = rule.params["value"]
    wanted = rule.params["id"]
    row = rows[0] if wanted is None else next((one for one in rows if one.get("id") == int(wanted)), None)
    if row is None:
        return
    if value == "missing":
        del row["id"]
    elif value == "text":
        row["id"] = str(row["id"])
    elif value in BAD:
        row["id"] = BAD[value]
    elif "items" in document:
        _repeat(rule, document["items"], row, value)


def _repeat(rule: Fault, items: list[Any], row: Any, value: str) -> None:
    if value == "twice_in_page":
        items.insert(items.index(row) + 1, dict(row))
    elif "first" in rule.memory:
        items.insert(0, dict(rule.memory["first"]))
    else:
        rule.memory["first"] = dict(row)


register(
    Kind(
        "F23",
        "bad_id",
        "an id that is missing, 0, negative, text, 2^63, or comes twice",
        {"value": "missing", "id": None},
        times=0,
        verb="read",
        reshape=_ids,
        choices={"value": CHOICES},
    )
)
