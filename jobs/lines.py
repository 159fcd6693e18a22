"""Log lines of processes that do not load the portal: gunicorn's master and the supervisor.

The same form as portal/logs/lines writes: one JSON object a line, with `timestamp`, `level` and `event`.
"""

import json
import logging
import os
import traceback
from datetime import UTC, datetime
from typing import Any


def wanted() -> bool:
    """False where LOG_FORMAT asks for text, for a terminal."""
    return os.environ.get("LOG_FORMAT", "").strip() != "text"


def line(level: str, event: str, **more: object) -> str:
    """One log line, without its end."""
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"timestamp": moment, "level": level, "event": event, **more}, default=str)


def is_line(text: str) -> bool:
    """Whether a process wrote this in the common form already."""
    if not text.startswith("{"):
        return False
    try:
        return "event" in json.loads(text)
    except ValueError:
        return False


class Json(logging.Formatter):
    """Records of the standard library as log lines; `extra={"ids": {…}}` comes in as fields."""

    def format(self, record: logging.LogRecord) -> str:
        more: dict[str, Any] = dict(getattr(record, "ids", {}))
        if record.exc_info and record.exc_info[1]:
            more["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        return line(record.levelname.lower(), record.getMessage(), logger=record.name, **more)
