"""Where `next` may lead: to a page of ours and nowhere else."""

from urllib.parse import urlsplit

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect


def own_path(target: str | None) -> str | None:
    """The target when it is the path of one of our own pages, else None (never another site)."""
    if not target or len(target) > 2000 or not target.startswith("/") or not target.isprintable():
        return None
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or "\\" in target or target.startswith("//"):
        return None
    try:
        current_app.url_map.bind("").match(parts.path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return target
