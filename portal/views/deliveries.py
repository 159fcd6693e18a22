"""What is late or stuck on its way to Autotask, and what became of the rest."""

from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock, formatters
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.models import Delivery
from portal.queries import deliveries, delivery_detail
from portal.reconcile import by_hand
from portal.web import htmx

pages = Blueprint("deliveries", __name__, url_prefix="/p/<partner_slug>/deliveries")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = deliveries.filter_from(request.args)
    return htmx.render(
        "deliveries/index.html",
        "deliveries/_table.html",
        chosen=chosen,
        needing=deliveries.needing(chosen),
        page=deliveries.history(chosen) if chosen.show not in deliveries.NEEDING else None,
        about=deliveries,
        now=clock.now(),
    )


@pages.get("/<int:delivery_id>")
@requires(Permission.VIEW)
def show(delivery_id: int) -> Any:
    detail = delivery_detail.of(find_or_404(Delivery, delivery_id), request.args)
    return htmx.render("deliveries/show.html", "deliveries/_detail.html", detail=detail, about=deliveries)


@pages.post("/<int:delivery_id>/retry")
@requires(Permission.RETRY_DELIVERIES)
def retry(delivery_id: int) -> Any:
    try:
        by_hand.retry(g.actor, delivery_id)
    except by_hand.NotRetryable as refusal:
        flash(str(refusal), "warning")
    db.session.commit()
    by_hand.ring()
    return htmx.redirect(url_for("deliveries.show", delivery_id=delivery_id))


@pages.post("/retry")
@requires(Permission.RETRY_DELIVERIES)
def retry_all() -> Any:
    ids = by_hand.retry_all(g.actor)
    db.session.commit()
    by_hand.ring()
    many = formatters.plural(ids, "delivery", "deliveries")
    flash(f"{many} on the way again." if ids else "Nothing was stuck.", "message")
    return htmx.redirect(url_for("deliveries.index"))
