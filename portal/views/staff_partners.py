"""Who is in trouble? The partners as support staff see them."""

from typing import Any

from flask import Blueprint, render_template

from portal.access import partner_health
from portal.access.permissions import staff_only

pages = Blueprint("staff_partners", __name__, url_prefix="/staff/partners")


@pages.get("")
@staff_only
def index() -> Any:
    return render_template("staff_partners/index.html", partners=partner_health.all_partners())
