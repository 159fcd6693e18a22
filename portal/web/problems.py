"""Errors of the API as JSON documents: the one form of RFC 9457 that every answer has."""

from typing import Any

import structlog
from flask import Response, g, jsonify, request

from portal.web import outermost

log = structlog.get_logger(__name__)
TITLES = {
    400: "The request cannot be read",
    409: "Not possible any more",
    422: "The request cannot be accepted",
    429: "Too many requests",
}


def reference() -> str:
    """The request's id, which the log carries too."""
    return g.get("request_id") or outermost.request_id()


def document(status: int, title: str, detail: str, **more: Any) -> Response:
    """`more` stands beside the rest as far as it says anything."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "reference": reference(),
    }
    answer = jsonify(body | {name: value for name, value in more.items() if value})
    answer.status_code, answer.mimetype = status, "application/problem+json"
    return answer


def refused(status: int, detail: str, *, title: str = "", **more: Any) -> Response:
    """A refusal of the API's own, with its line in the log."""
    log.info("request.refused", status=status, method=request.method, reason=detail)
    return document(status, title or TITLES[status], detail, **more)
