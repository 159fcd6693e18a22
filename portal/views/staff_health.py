"""Whether the portal keeps its promises, for staff: what probes are told, with the last hour and the alarms."""

from typing import Any

from flask import Blueprint, render_template

from portal.access.permissions import staff_only
from portal.queries import health

pages = Blueprint("staff_health", __name__, url_prefix="/staff/health")


@pages.get("")
@staff_only
def show() -> Any:
    return render_template("staff_health/show.html", health=health.now())
