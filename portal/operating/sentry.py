"""Errors go to Sentry where SENTRY_DSN is set: what our own log line says of them, and nothing else.

The library gathers requests, variables and headers by itself when it is let; here it only carries what it is given.
"""

from collections.abc import Mapping
from typing import Any

import sentry_sdk
from flask import Flask

from portal.logs import lines

# Fields of a log line that may leave the house: names and numbers of ours.
TAGS = ("event", "process", "endpoint", "method", "status", "job", "watch", "check", "command")
IDS = ("request_id", "user_id", "tenant_id", "support_visit_id", "job_id", "sync_run_id", "delivery_id")
LAST_SECONDS = 2.0


def register(app: Flask) -> None:
    """Without SENTRY_DSN nothing is sent."""
    if not app.config["SENTRY_DSN"]:
        return
    sentry_sdk.init(
        dsn=app.config["SENTRY_DSN"],
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        server_name="portal",
    )
    lines.listen(send)


def send(line: Mapping[str, Any]) -> None:
    """One line of the level error or above, as it was written. After a critical one the process ends."""
    sentry_sdk.capture_event(as_event(line))
    if line.get("level") == "critical":
        flush()


def flush() -> None:
    """Before a process ends."""
    sentry_sdk.flush(LAST_SECONDS)


def as_event(line: Mapping[str, Any]) -> Any:
    """Sentry's form. Errors of one place have one fingerprint."""
    errors = [_error(one) for one in line.get("exception", ()) if isinstance(one, Mapping)]
    where = [
        f"{one['type']}@{one['frames'][-1].split(':')[0] if one['frames'] else ''}"
        for one in line.get("exception", ())
        if isinstance(one, Mapping)
    ]
    return {
        "level": "fatal" if line.get("level") == "critical" else "error",
        "logger": "portal",
        "message": str(line.get("event", "")),
        "tags": {name: str(line[name]) for name in TAGS if name in line},
        "contexts": {"ids": {name: line[name] for name in IDS if name in line}},
        "exception": {"values": list(reversed(errors))},
        "fingerprint": [str(line.get("event", "")), *where],
    }


def _error(told: Mapping[str, Any]) -> dict[str, Any]:
    module, _, name = str(told["type"]).rpartition(".")
    frames = []
    for frame in told["frames"]:
        place, _, function = str(frame).partition(" ")
        file, _, line = place.rpartition(":")
        if line.isdigit():  # else it says how many are left out
            frames.append({"filename": file, "function": function, "lineno": int(line)})
    return {"type": name, "module": module, "value": told["message"], "stacktrace": {"frames": frames}}
