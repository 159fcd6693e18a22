"""For machines that watch the portal: does the process answer, and does all of it do what it promises?"""

import threading
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import NotFound

from portal import clock
from portal.access.permissions import of_the_process
from portal.operating import metrics
from portal.operating.check import Result, look_at
from portal.operating.ready import READY, STATEMENT_SECONDS
from portal.web import machines

pages = Blueprint("operating", __name__)
LOOK_AGAIN = 1.0  # seconds: however many ask, the database is asked once in that time by each process
_looking = threading.Lock()


@pages.get("/healthz")
@of_the_process
def healthz() -> Any:
    """The process answers; nothing else is asked."""
    return jsonify(alive=True)


@pages.get("/readyz")
@of_the_process
def readyz() -> Any:
    """200 where every promise is kept, else 503; what was found, for who may see it."""
    found = looked()
    ready = not any(result.is_wrong for result in found)
    body: dict[str, Any] = {"ready": ready}
    if machines.is_trusted():
        body["checks"] = [result.told() for result in found]
    return jsonify(body), 200 if ready else 503


@pages.get("/metrics")
@of_the_process
def prometheus() -> Any:
    """In Prometheus's text format; for others than who may see it, it is not there."""
    if not machines.is_trusted():
        raise NotFound
    return Response(metrics.text_of(looked()), content_type=CONTENT_TYPE_LATEST)


def looked() -> list[Result]:
    """What the checks found within the last second."""
    with _looking:
        at, found = current_app.extensions.get("ready", (float("-inf"), []))
        if clock.monotonic() - at >= LOOK_AGAIN:
            found = look_at(READY, STATEMENT_SECONDS)
            current_app.extensions["ready"] = (clock.monotonic(), found)
        return list(found)
