"""For machines that watch the portal: does the process answer, and does all of it do what it promises?"""

from typing import Any

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import NotFound

from portal.access.permissions import of_the_process
from portal.operating import metrics
from portal.operating.latest import looked
from portal.web import machines

pages = Blueprint("operating", __name__)


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
