"""Counts every answer, by route and status, and how long it took, by its kind."""

from flask import Flask, Response, request

from portal import clock, counts
from portal.access.requests import knows_nobody
from portal.web import htmx, outermost

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def register(app: Flask) -> None:
    app.after_request(_count)


def _count(response: Response) -> Response:
    """A route is one of ours, so that nobody makes up series by asking for what is not there."""
    method = request.method if request.method in METHODS else "other"
    counts.add(
        "portal_http_requests_total",
        route=request.endpoint or "none",
        method=method,
        status=str(response.status_code),
    )
    began = request.environ.get(outermost.BEGAN)
    if began is not None:
        counts.observe("portal_http_request_seconds", clock.monotonic() - began, kind=_kind())
    return response


def _kind() -> str:
    if knows_nobody():
        return "machine"
    if request.path.startswith("/api/"):
        return "api"
    return "part" if htmx.is_htmx() else "page"
