"""Polls that say what they already show, so that a page is redrawn only when something changed."""

from flask import Response, request

from portal import htmx


def unchanged(marker: str) -> Response | None:
    """An empty answer, which htmx does not swap, when the asking fragment already shows this state."""
    if htmx.is_fragment() and request.args.get("seen") == marker:
        return htmx.vary(Response(status=204))
    return None
