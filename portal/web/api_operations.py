"""The operations of the API as their page tells them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portal.web.api_description import DESCRIPTION


@dataclass(frozen=True)
class Operation:
    """One of them as its page tells it; `parameters` are (name, words)."""

    title: str
    call: str
    parameters: list[tuple[str, str]]
    answers: list[tuple[str, str]]


def operations() -> Iterator[Operation]:
    """All of them, in the document's order."""
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield Operation(
                    operation["summary"],
                    f"{method.upper()} {DESCRIPTION['servers'][0]['url']}{path}",
                    [_told(one) for one in operation.get("parameters", ())],
                    [(status, answer["description"]) for status, answer in operation["responses"].items()],
                )


def _told(parameter: dict[str, Any]) -> tuple[str, str]:
    where = " (header)" if parameter["in"] == "header" else ""
    return parameter["name"], f"{where}: {parameter['description']}"
