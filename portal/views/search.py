"""Search: customers and invoices by what people type into the box on top of every page."""

from typing import Any

from flask import Blueprint, g, request

from portal import clock
from portal.access.permissions import Permission, requires
from portal.queries import search
from portal.queries.text import cleaned
from portal.web import htmx

pages = Blueprint("search", __name__, url_prefix="/p/<partner_slug>/search")


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    words = cleaned(request.args.get("q"))
    return htmx.render(
        "search/show.html",
        "search/_results.html",
        words=words,
        results=search.results(words),
        today=clock.today(g.partner.time_zone),
    )
