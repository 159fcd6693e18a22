"""Every log line of a process in one form: a JSON object with ids and tracebacks inside, without people's data.

structlog's, Flask's, SQLAlchemy's, RQ's, alembic's and gunicorn's lines all go this way. `text` is for terminals.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from portal import counts
from portal.logs import one_line, tracebacks

HIDDEN = {"secret", "password", "token", "authorization", "cookie", "apiintegrationcode"}
EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,60}")
FIRST = ("timestamp", "level", "event")
GUNICORN = "gunicorn.error"
# What the portal writes itself, with its own words, and a pool that SQLAlchemy names after its class's own module.
# fontTools tells a score of steps of each PDF.
SAID_BY_US = dict.fromkeys(("flask_wtf.csrf", "portal.database.pool", "fontTools"), logging.WARNING)
_process = {"name": ""}
_listeners: list[Callable[[MutableMapping[str, Any]], None]] = []

log = structlog.get_logger(__name__)


class Output(logging.Handler):
    """Writes each line by one call, so that processes that share a pipe do not mix theirs."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            whole = f"{self.format(record)}\n"
            sys.stderr.flush()
            _write(whole)
        except Exception:
            self.handleError(record)


def configure(form: str = "json") -> None:
    """`form` is `json` for machines or `text` for a terminal. Safe to call again."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process,
        _hide,
        _count,
        _tell_listeners,
        _describe_fault if form == "json" else structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    _take_over(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[ProcessorFormatter.remove_processors_meta, _in_order, *_renderer(form)],
        )
    )
    if form == "json":
        sys.excepthook, threading.excepthook = _process_failed, _thread_failed


def call_this_process(name: str) -> None:
    """The name of this process in each of its lines, such as `poller`."""
    _process["name"] = name


def _renderer(form: str) -> list[Any]:
    if form == "json":
        return [structlog.processors.JSONRenderer(default=str, ensure_ascii=False), one_line.in_json]
    return [one_line.in_text, structlog.dev.ConsoleRenderer(colors=False)]


def _take_over(formatter: logging.Formatter) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, Output)]:
        root.removeHandler(old)
    output = Output()
    output.setFormatter(formatter)
    root.addHandler(output)
    root.setLevel(logging.INFO)
    for name, level in SAID_BY_US.items():
        logging.getLogger(name).setLevel(level)
    for handler in logging.getLogger(GUNICORN).handlers:
        handler.setFormatter(formatter)


def _write(text: str) -> None:
    """To standard error as the process has it; its file where it has one, past the buffer."""
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError):  # a test reads along
        sys.stderr.write(text)
        return
    left = text.encode(errors="backslashreplace")
    while left:
        left = left[os.write(number, left) :]


def listen(listener: Callable[[MutableMapping[str, Any]], None]) -> None:
    """Whoever wants to hear of errors: each line as JSON has it, without people's data. Safe to call again."""
    _listeners[:] = [listener]


def _tell_listeners(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _listeners and event.get("level") in ("error", "critical"):
        told = _describe_fault(logger, name, dict(event))
        for listener in _listeners:
            listener(told)
    return event


def _count(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Lines of libraries have no names of their own."""
    name = str(event.get("event", ""))
    told = name if EVENT.fullmatch(name) else "other"
    counts.add("portal_log_lines_total", event=told, level=str(event.get("level", "info")))
    return event


def _in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: event[name] for name in FIRST if name in event} | dict(event)


def _add_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _process["name"]:
        event["process"] = _process["name"]
    return event


def _hide(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name.lower() in HIDDEN:
            event[name] = "(hidden)"
        elif isinstance(value, str):
            event[name] = tracebacks.without_data(value)
    return event


def _describe_fault(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = tracebacks.described(error)
    return event


def _process_failed(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    log.critical("process.failed", exc_info=error)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        log.error("thread.failed", thread=failed.thread and failed.thread.name, exc_info=failed.exc_value)
