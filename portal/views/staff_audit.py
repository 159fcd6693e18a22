"""What staff did: each step into a partner, each partner made or shut, each staff person let in or out."""

from typing import Any

from flask import Blueprint, render_template, request

from portal.access.permissions import staff_only
from portal.queries import staff_events

pages = Blueprint("staff_audit", __name__, url_prefix="/staff/audit")


@pages.get("")
@staff_only
def index() -> Any:
    listed = staff_events.page(request.args)
    return render_template("staff_audit/index.html", listed=listed, sentence=staff_events.sentence)
