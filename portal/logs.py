"""Structured logs with ids, as JSON lines (or plain text for people), without secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

HIDDEN = {"secret", "password", "token", "authorization", "cookie", "apiintegrationcode"}


def configure(form: str = "json") -> None:
    """`form` is `json` for machines or `text` for a terminal."""
    renderer = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        if name.lower() in HIDDEN:
            event[name] = "(hidden)"
    return event
