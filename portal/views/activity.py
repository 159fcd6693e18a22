"""Activity: who did what, and when support came in."""

import json
from typing import Any

from flask import Blueprint, g, request

from portal import clock
from portal.access.permissions import Permission, requires, shown
from portal.access.tenancy import find_or_404
from portal.formatters import iso
from portal.models import SupportVisit
from portal.queries import activity, page_names
from portal.web import exports, htmx

pages = Blueprint("activity", __name__, url_prefix="/p/<partner_slug>/activity")

COLUMNS = (
    "Position",
    "At",
    "Event",
    "What",
    "Person",
    "As",
    "Source",
    "Subject",
    "Subject ID",
    "Details",
    "Request",
)


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = activity.filter_from(request.args, g.partner.time_zone)
    return htmx.render(
        "activity/index.html",
        "activity/_table.html",
        chosen=chosen,
        listed=activity.page(chosen),
        found=activity.count(chosen),
        visits=activity.visits(),
        now=clock.now(),
    )


@pages.get("/export.csv")
@requires(Permission.EXPORT)
def export() -> Any:
    chosen = activity.filter_from(request.args, g.partner.time_zone)
    rows = activity.every(chosen)
    return exports.send(exports.Table("activity.csv", COLUMNS, rows, _cells, activity.entries_in))


@pages.get("/visits")
@requires(Permission.VIEW)
def visits() -> Any:
    return htmx.render(
        "activity/visits.html",
        "activity/_all_visits.html",
        listed=activity.page_of_visits(request.args),
        now=clock.now(),
    )


@pages.get("/visits/<int:visit_id>")
@requires(Permission.VIEW)
def visit(visit_id: int) -> Any:
    found = find_or_404(SupportVisit, visit_id)
    return htmx.render(
        "activity/visit.html",
        "activity/_visit.html",
        visit=found,
        requests=activity.requests_of(visit_id, request.args),
        page_name=page_names.name,
    )


def _cells(entry: activity.Entry) -> tuple[object, ...]:
    event = entry.event
    return (
        event.position,
        iso(event.at),
        event.event,
        entry.sentence,
        entry.who,
        entry.on_behalf,
        event.source,
        event.subject_type,
        event.subject_id,
        json.dumps(shown(event.details), ensure_ascii=False, sort_keys=True),
        event.request_id,
    )
