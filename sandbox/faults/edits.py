"""Changing an answer's JSON without touching the numbers in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.api.messages import Answer


class Raw(str):
    """JSON text that is written as it stands, valid or not."""

    __slots__ = ()


def edited(answer: Answer, change: Callable[[Any], None]) -> Answer:
    """The answer with its document changed in place; answers other than 200 with JSON stay as they are."""
    if answer.status != 200 or not answer.body:
        return answer
    try:
        document = json.loads(answer.body, parse_float=Raw)
    except ValueError:
        return answer
    change(document)
    answer.body = written(document).encode()
    return answer


def written(value: Any) -> str:
    """JSON text; Raw pieces stand as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(one) for one in value) + "]"
    return json.dumps(value)


def rows_in(document: Any) -> list[Any]:
    """The records of a query page or of a get, or none."""
    if not isinstance(document, dict):
        return []
    if isinstance(document.get("items"), list):
        return list(document["items"])
    return [document["item"]] if isinstance(document.get("item"), dict) else []
