"""The vendor's Swagger models as a judge of answers.

The models are made strict: no field beyond them, and the formats of numbers and dates count. Two things the
file cannot say are added: .NET sends null for any empty property, and a byte array travels as base64 text.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

SWAGGER: dict[str, Any] = json.loads((Path(__file__).parent / "swagger-subset.json").read_text())
INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z?$")
ERRORS = {
    "type": "object",
    "properties": {"errors": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "required": ["errors"],
    "additionalProperties": False,
}
MESSAGE = {
    "type": "object",
    "properties": {"Message": {"type": "string"}},
    "required": ["Message"],
    "additionalProperties": False,
}
# Paths of the fact sheet that the Swagger subset does not hold.
EXTRA = {
    "/V1.0/EntityInformation": {
        "type": "object",
        "properties": {"info": {"type": "array", "items": {"$ref": "#/definitions/EntityInformationModel"}}},
        "required": ["info"],
    }
}

formats = FormatChecker(())


@formats.checks("int32")
def _int32(value: Any) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@formats.checks("int64")
def _int64(value: Any) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@formats.checks("date-time")
def _date_time(value: Any) -> bool:
    return not isinstance(value, str) or INSTANT.match(value) is not None


@formats.checks("base64")
def _base64(value: Any) -> bool:
    return not isinstance(value, str) or bool(base64.b64decode(value, validate=True))


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    if not properties:
        return {}
    made = {name: _nullable(one) for name, one in properties.items()}
    return {"type": "object", "properties": made, "additionalProperties": False}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    schema = {name: value for name, value in schema.items() if name not in ("readOnly", "description")}
    if schema.get("type") == "object":
        return {}
    if "items" in schema:
        schema["items"] = {name: value for name, value in schema["items"].items() if name != "readOnly"}
    return {"anyOf": [schema, {"type": "null"}]}


@cache
def definitions() -> dict[str, Any]:
    made = {name: _strict(one) for name, one in copy.deepcopy(SWAGGER["definitions"]).items()}
    made["FileQueryResultModel"]["properties"]["data"] = {"type": "string", "format": "base64"}
    made["OperationResultModel"]["properties"]["itemId"] = {"type": "integer"}
    made["OperationResultModel"]["required"] = ["itemId"]
    return made


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    paths = [*SWAGGER["paths"], *EXTRA]
    made = [(re.sub(r"\{\w+\}", r"-?\\d+", path), path) for path in paths]
    return [(re.compile(f"^{text}$", re.IGNORECASE), path) for text, path in made]


def template_of(path: str) -> str | None:
    """The Swagger path that a URL's path below /ATServicesRest belongs to; a next page is its query."""
    path = path.removesuffix("/next")
    return next((template for pattern, template in _patterns() if pattern.match(path)), None)


@cache
def _validator(template: str, method: str) -> Draft4Validator:
    if template in EXTRA:
        schema = EXTRA[template]
    else:
        schema = SWAGGER["paths"][template][method]["responses"]["200"]["schema"]
    return Draft4Validator({**schema, "definitions": definitions()}, format_checker=formats)


def _judge(schema: dict[str, Any], value: Any) -> None:
    Draft4Validator(schema).validate(value)


def check(method: str, path: str, status: int, body: bytes) -> None:
    """Raises ValidationError or AssertionError where an answer is not what the Swagger file says."""
    if status == 401:
        assert body == b""
    elif status == 405:
        _judge(MESSAGE, json.loads(body))
    elif status == 404:
        assert b"<html" in body.lower()
    elif status != 200:
        _judge(ERRORS, json.loads(body))
    else:
        template = template_of(path)
        assert template is not None, f"no Swagger path for {path}"
        document = json.loads(body, parse_constant=lambda text: pytest_fail(text))
        _validator(template, method.lower()).validate(document)


def pytest_fail(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")
