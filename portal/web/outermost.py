"""Around the whole app: each request gets its id, and an answer in words even where every handler failed."""

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, request

from portal import clock
from portal.web.security_headers import headers_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

REQUEST_ID = "portal.request_id"
FAULT_WRITTEN = "portal.fault_written"
BEGAN = "portal.began"
IDS = "portal.ids"  # gunicorn.conf.py writes them into the line of the request
SHOWN_PATH = "portal.shown_path"  # for the line of the request: without what opens something
SECRET_PATHS = re.compile(r"^(/links/[a-z]+)/.+")
LAST_WORDS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>This page failed</title></head>
<body><h1>This page failed</h1>
<p>The fault is ours. It was recorded with the reference below.</p>
<p>Try again. If it fails again, give the reference to support.</p>
<p>Reference: <code>{reference}</code></p>
<p><a href="/">Home</a></p></body></html>
"""

log = structlog.get_logger(__name__)


class Outermost:
    """WSGI: the ids of a request are bound to its thread until the next one begins there."""

    def __init__(self, app: Flask) -> None:
        self.app, self.inside = app, app.wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        structlog.contextvars.clear_contextvars()
        environ[BEGAN] = clock.monotonic()
        environ[REQUEST_ID] = secrets.token_hex(8)
        environ[SHOWN_PATH] = SECRET_PATHS.sub(r"\1/…", environ.get("PATH_INFO", ""))
        structlog.contextvars.bind_contextvars(request_id=environ[REQUEST_ID])
        begun: list[Any] = []  # what fails after the answer was begun can still become another one
        try:
            body = self.inside(environ, lambda *begin: begun.append(begin))  # type: ignore[arg-type]
        except Exception:
            if self.app.testing:
                raise
            event = "error_page.failed" if FAULT_WRITTEN in environ else "request.failed"
            log.exception(event, path=environ[SHOWN_PATH])
            return self._last_words(environ, start_response)
        finally:
            environ[IDS] = structlog.contextvars.get_contextvars()
        start_response(*begun[-1])
        return body

    def _last_words(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        start_response("500 Internal Server Error", list((headers | headers_of(self.app)).items()))
        return [LAST_WORDS.format(reference=environ[REQUEST_ID]).encode()]


def register(app: Flask) -> None:
    app.wsgi_app = Outermost(app)  # type: ignore[method-assign]


def request_id() -> str:
    """The id of this request, which its log lines and its error page carry."""
    return str(request.environ.setdefault(REQUEST_ID, secrets.token_hex(8)))
