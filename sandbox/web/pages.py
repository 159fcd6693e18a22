"""Which address of the page shows or does what."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from sandbox.api.messages import Answer, Call
from sandbox.requestlog import Change, Request
from sandbox.web import deeds, views
from sandbox.web.render import page, stylesheet
from sandbox.world import World

View = Callable[..., Answer]
VIEWS: list[tuple[re.Pattern[str], View]] = [
    (re.compile(r"^/$"), views.home),
    (re.compile(r"^/invoices$"), views.invoices),
    (re.compile(r"^/invoices/(\d+)$"), views.invoice),
    (re.compile(r"^/invoices/(\d+)/pdf$"), views.invoice_pdf),
    (re.compile(r"^/companies$"), views.companies),
    (re.compile(r"^/companies/(\d+)$"), views.company),
    (re.compile(r"^/requests$"), views.requests),
    (re.compile(r"^/behaviour$"), views.behaviour),
]


def handle(world: World, call: Call) -> Answer:
    """Answers a call of the page: GET shows, POST does and leads back with a sentence about it."""
    if call.path == "/style.css":
        return stylesheet()
    if call.method == "POST":
        return _do(world, call)
    if call.method != "GET":
        return Answer(405, b"", "")
    for pattern, view in VIEWS:
        matched = pattern.match(call.path)
        if matched:
            return view(world, call, *(int(one) for one in matched.groups()))
    return page(world, "missing.html", 404, what="This page")


def _do(world: World, call: Call) -> Answer:
    deed = deeds.DEEDS.get(call.path.strip("/"))
    if deed is None:
        return page(world, "missing.html", 404, what="This action")
    given = {
        name: values[0].strip() for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()
    }
    try:
        where, said, changed = deed(world, given)
    except deeds.Refused as error:
        return page(world, "refused.html", 422, said=str(error), refused=True)
    _write(world, call, changed)
    return Answer(303, b"", "", {"Location": f"{where}?said={quote(said)}"})


def _write(world: World, call: Call, changed: list[Change]) -> None:
    """What people do stands in the log as well, as the calls of the entity People."""
    if not changed:
        return
    request = Request(
        world.clock.now(), "PAGE", call.path, "People", call.path.strip("/"), "", "", 303, changed
    )
    world.log.add(request)
