"""What comes in and what goes out, apart from the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs


@dataclass
class Call:
    """One HTTP request as the wire read it. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    base: str
    path: str = ""
    query: str = ""

    def __post_init__(self) -> None:
        self.path, _, self.query = self.target.partition("?")

    def arguments(self) -> dict[str, str]:
        """The query string's arguments, names in lower case, first value of each."""
        parsed = parse_qs(self.query, keep_blank_values=True)
        return {name.lower(): values[0] for name, values in parsed.items()}


@dataclass
class Answer:
    """One HTTP answer before faults and the wire get hold of it."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    changed: list[Any] = field(default_factory=list)


class Refusal(Exception):
    """Autotask says no. `kind` goes into the header Sandbox-Says, so that tests can tell refusals apart."""

    def __init__(self, status: int, *texts: str, kind: str = "refused", body: bytes | None = None) -> None:
        super().__init__(*texts)
        self.status = status
        self.texts = list(texts)
        self.kind = kind
        self.body = body

    def answer(self) -> Answer:
        body = json_bytes({"errors": self.texts}) if self.body is None else self.body
        answer = Answer(self.status, body, headers={"Sandbox-Says": self.kind})
        if not body:
            answer.content_type = ""
        elif self.kind == "not-found-page":
            answer.content_type = "text/html"
        return answer


def invalid(text: str) -> Refusal:
    """A validation error: Autotask answers those with 500 and a list of texts."""
    return Refusal(500, text, kind="validation")


def not_modelled(what: str) -> Refusal:
    """Real Autotask has it, the sandbox does not: it says so and never fakes."""
    return Refusal(501, f"The sandbox does not model {what}.", kind="not-modelled")


def wrong_verb(method: str) -> Refusal:
    text = f"The requested resource does not support http method '{method}'."
    return Refusal(405, text, kind="wrong-verb", body=json_bytes({"Message": text}))


NOT_FOUND_PAGE = (
    b"<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head><body>"
    b"<h2>404 - File or directory not found.</h2><h3>The resource you are looking for might have been "
    b"removed, had its name changed, or is temporarily unavailable.</h3></body></html>"
)


def not_found_page() -> Refusal:
    """What an unknown route gives: the web server's own HTML page."""
    return Refusal(404, kind="not-found-page", body=NOT_FOUND_PAGE)


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, default=_default).encode()


def answer_json(value: Any, **kw: Any) -> Answer:
    return Answer(200, json_bytes(value), **kw)


def shown(value: Any) -> str:
    """A value in a text of Autotask's: as it was written."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _reject_constant(text: str) -> Any:
    raise ValueError(f"Unexpected token {text}")


def parse_json(text: bytes | str) -> Any:
    """JSON with exact numbers, None for nothing at all. Raises a validation error for text that is no JSON."""
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, position {error.colno}"
        raise invalid(f"Unexpected character encountered while parsing value. Path '', {where}.") from error
    except (ValueError, RecursionError) as error:
        raise invalid("Error reading the request body as JSON.") from error
