"""Errors of the API as JSON documents: the one form of RFC 9457 that every answer has."""

from typing import Any

import structlog
from flask import Response, g, jsonify, request

from portal.web import outermost

log = structlog.get_logger(__name__)
TITLES = {
    400: "The request cannot be read",
    401: "No valid key",
    403: "Not allowed",
    404: "No such record",
    405: "Not possible at this address",
    409: "Not possible any more",
    413: "The body is too large",
    415: "The body is of another kind",
    422: "The request cannot be accepted",
    429: "Too many requests",
    500: "A fault of ours",
    503: "Not available at the moment",
}
# What pages say of these speaks of pages and forms.
SENTENCES = {
    404: "There is no such address or record, or it is not this partner's.",
    405: "This address does not take that method; Allow names those that it takes.",
    413: "A body may have 8 MB. Nothing was changed; send it in parts.",
    500: "It was recorded with the reference. Send the request again; if it fails again, give the reference to support.",
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
