"""The operations of the API as their page tells them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portal.web.api_description import DESCRIPTION, OF_BODIES, PROBLEMS


@dataclass(frozen=True)
class Operation:
    """One of them as its page tells it; `parameters` and the `fields` of its body are (name, words)."""

    title: str
    call: str
    parameters: list[tuple[str, str]]
    fields: list[tuple[str, str]]
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
                    list(_fields(_body(operation))),
                    [
                        (status, words)
                        for status, words in _answers(operation["responses"])
                        if (status, words) not in SHARED
                    ],
                )


def _answers(responses: dict[str, Any]) -> list[tuple[str, str]]:
    return [(status, answer["description"]) for status, answer in responses.items()]


# What each of them may answer, told once.
SHARED = sorted(_answers(PROBLEMS | OF_BODIES))


def _told(parameter: dict[str, Any]) -> tuple[str, str]:
    where = " (header)" if parameter["in"] == "header" else ""
    return parameter["name"], f"{where}: {parameter['description']}"


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of what is sent; an empty one where nothing is."""
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return dict(sent.get("schema", {}))


def _fields(schema: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """The fields of an object, and of those in its lists as `lines[].name`."""
    named = schema.get("$ref", "").rpartition("/")[2]
    schema = DESCRIPTION["components"]["schemas"][named] if named else schema
    for name, one in schema.get("properties", {}).items():
        needed = ["needed"] if name in schema["required"] else []
        words = ", ".join([_kind(one), *needed])
        yield before + name, f": {words}. {one.get('description', '')}".rstrip()
        if one.get("type") == "array":
            yield from _fields(one["items"], f"{before}{name}[].")


def _kind(schema: dict[str, Any]) -> str:
    """What a field holds, in words."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema.get("format") == "date":
        return "a day, like 2026-11-19"
    if "examples" in schema:
        return f"text, like {schema['examples'][0]}"
    kind = schema["type"]
    if kind == "string":
        most = schema.get("maxLength")
        return f"text of up to {most} characters" if most else "text"
    if kind == "array":
        return f"a list of {schema['minItems']} to {schema['maxItems']}"
    return {"boolean": "true or false", "integer": "a whole number"}[kind]
