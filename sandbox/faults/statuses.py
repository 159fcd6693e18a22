"""F7 to F16: other answers than Autotask's own. `applied` lets the call take effect all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sandbox.api.messages import Answer, Call, json_bytes
from sandbox.faults.kinds import Kind, register
from sandbox.limits import THREAD_TEXT
from sandbox.world import World

MAINTENANCE = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    b"<body><h1>We'll be back soon</h1></body></html>"
)
LOGIN = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form method='post' action='/login'>"
    b"<input name='user'><input name='password' type='password'></form></body></html>"
)
BODIES = {
    "empty": (200, b""),
    "204": (204, b""),
    "null": (200, b"null"),
    "[]": (200, b"[]"),
    "{}": (200, b"{}"),
}


def _html(params: dict[str, Any], world: World, call: Call) -> Answer:
    return Answer(200, LOGIN if params["page"] == "login" else MAINTENANCE, "text/html; charset=utf-8")


def _hollow(params: dict[str, Any], world: World, call: Call) -> Answer:
    status, body = BODIES[params["body"]]
    return Answer(status, body)


def _errors_200(params: dict[str, Any], world: World, call: Call) -> Answer:
    return Answer(200, json_bytes({"errors": [params["text"]]}))


def _errors_500(params: dict[str, Any], world: World, call: Call) -> Answer:
    texts = params["text"] if isinstance(params["text"], list) else [params["text"]]
    return Answer(500, json_bytes({"errors": texts}))


def _broken(params: dict[str, Any], world: World, call: Call) -> Answer:
    if params["body"] == "empty":
        return Answer(int(params["status"]), b"", "")
    page = f"<html><body><h1>{params['status']} - Server error</h1></body></html>"
    return Answer(int(params["status"]), page.encode(), "text/html")


def _too_many(params: dict[str, Any], world: World, call: Call) -> Answer:
    answer = Answer(429, json_bytes({"errors": ["Too many requests."]}))
    wait = params["retry_after"]
    if wait == "date":
        wait = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _threads(params: dict[str, Any], world: World, call: Call) -> Answer:
    return Answer(int(params["status"]), json_bytes({"errors": [THREAD_TEXT]}))


def _unauthorized(params: dict[str, Any], world: World, call: Call) -> Answer:
    realm = f'Basic Realm="webservices{world.zone}.autotask.net"'
    return Answer(401, b"", "", {"www-authenticate": realm})


def _redirect(params: dict[str, Any], world: World, call: Call) -> Answer:
    return Answer(int(params["status"]), b"", "", {"Location": params["location"]})


APPLIED = {"applied": False}
register(
    Kind(
        "F7",
        "html_page",
        "200 with an HTML page where JSON was asked for",
        {"page": "maintenance", **APPLIED},
        replace=_html,
        choices={"page": ("maintenance", "login")},
    )
)
register(
    Kind(
        "F8",
        "hollow_answer",
        "200 with nothing in it, or 204",
        {"body": "empty", **APPLIED},
        replace=_hollow,
        choices={"body": tuple(BODIES)},
    )
)
register(
    Kind(
        "F9",
        "errors_with_200",
        "200 with an errors list",
        {"text": "An unexpected error occurred.", **APPLIED},
        replace=_errors_200,
    )
)
register(
    Kind(
        "F10",
        "validation_error",
        "500 with a list of texts, as Autotask refuses for good",
        {"text": "The invoice is locked and cannot be updated.", **APPLIED},
        replace=_errors_500,
    )
)
register(
    Kind(
        "F11",
        "server_error",
        "500, 502, 503 or 504 with HTML or nothing",
        {"status": 503, "body": "html", **APPLIED},
        replace=_broken,
        choices={"body": ("html", "empty"), "status": (500, 502, 503, 504)},
    )
)
register(
    Kind(
        "F12",
        "too_many_requests",
        "429 with any Retry-After: seconds, date, garbage, 0, 10^9, or none",
        {"retry_after": "120", **APPLIED},
        replace=_too_many,
    )
)
register(
    Kind(
        "F13",
        "thread_limit",
        "the text of the thread limit, in any status",
        {"status": 429, **APPLIED},
        replace=_threads,
    )
)
register(
    Kind(
        "F15",
        "unauthorized",
        "401 with an empty body, although the keys are right",
        {},
        replace=_unauthorized,
    )
)
register(
    Kind(
        "F16",
        "redirect",
        "a redirect to somewhere else",
        {"status": 302, "location": "http://169.254.169.254/latest/meta-data/", **APPLIED},
        replace=_redirect,
        choices={"status": (301, 302, 303, 307, 308)},
    )
)
