"""Autotask as secondary: which invoices have their counterpart there, of how much money, and matching by hand."""

from typing import Any

from flask import Blueprint, abort, flash, g, request, url_for

from portal import connect
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.models import ExceptionItem, Invoice
from portal.queries import exception_values, matching
from portal.queries.text import number
from portal.reconcile import by_hand
from portal.sync import matched_by_hand, runs
from portal.sync.matched_by_hand import CannotMatch
from portal.web import htmx

pages = Blueprint("matching", __name__, url_prefix="/p/<partner_slug>/integrations/autotask/matching")


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    chosen = matching.filter_from(request.args)
    return htmx.render(
        "matching/show.html",
        "matching/_table.html",
        integration=connect.current(),
        tallies=matching.tallies(),
        chosen=chosen,
        page=matching.page(chosen),
        words=matching.WORDS,
        values=exception_values,
    )


@pages.post("/<int:item_id>")
@requires(Permission.DECIDE_EXCEPTIONS)
def join(item_id: int) -> Any:
    item = find_or_404(ExceptionItem, item_id)
    autotask_id = number(request.form.get("autotask_id")) or abort(422)
    try:
        run = matched_by_hand.join(g.actor, item, autotask_id)
    except CannotMatch as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("exceptions.show", item_id=item_id))
    db.session.commit()
    runs.ring(run)
    flash("Matched by hand. Autotask's side is read now.", "success")
    return htmx.redirect(url_for("matching.show"))


@pages.post("/invoices/<int:invoice_id>/take-back")
@requires(Permission.DECIDE_EXCEPTIONS)
def take_back(invoice_id: int) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    try:
        run = matched_by_hand.take_back(g.actor, invoice)
    except CannotMatch as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("matching.show"))
    db.session.commit()
    if run is None:
        by_hand.ring()
        flash(
            "What was written to that invoice in Autotask is cleared first; then the match ends.",
            "success",
        )
    else:
        runs.ring(run)
        flash("The match was taken back. Autotask is searched again now.", "success")
    return htmx.redirect(url_for("matching.show"))
