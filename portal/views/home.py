"""Home: is anything wrong, and what is owed?"""

from typing import Any

from flask import Blueprint, g

from portal import clock
from portal.access.permissions import Permission, requires
from portal.queries import currencies, home
from portal.web import htmx

pages = Blueprint("home", __name__, url_prefix="/p/<partner_slug>")


@pages.get("/")
@requires(Permission.VIEW)
def show() -> Any:
    return htmx.render(
        "home/show.html",
        "home/_detail.html",
        comparison=home.comparison(),
        attention=home.attention(),
        figures=currencies.main_first(
            home.figures(clock.today(g.partner.time_zone)), lambda figures: figures.invoices
        ),
        syncs=home.syncs(),
    )
