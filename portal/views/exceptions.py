"""What must I decide? One row per cause and record, with what each button does."""

from collections.abc import Mapping, Set
from typing import Any

from flask import Blueprint, abort, flash, g, request, url_for

from portal import formatters
from portal.access import form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.attention import decisions
from portal.attention.buttons import ACTIONS
from portal.extensions import db
from portal.forms import TICKS_STILL_HERE
from portal.models import ExceptionItem, Invoice
from portal.queries import cut, exception_values, exceptions
from portal.web import htmx

pages = Blueprint("exceptions", __name__, url_prefix="/p/<partner_slug>/exceptions")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return _list(request.args)


@pages.get("/<int:item_id>")
@requires(Permission.VIEW)
def show(item_id: int) -> Any:
    return _one(find_or_404(ExceptionItem, item_id))


@pages.post("/<int:item_id>/act")
@requires(Permission.DECIDE_EXCEPTIONS)
def act(item_id: int) -> Any:
    """One of the item's buttons; each has its own permission."""
    item, name = find_or_404(ExceptionItem, item_id), request.form.get("action", "")
    if not any(action.name == name for action in exceptions.actions(item)):
        abort(403 if any(one.name == name for one in ACTIONS.get(item.cause, ())) else 422)
    try:
        outcome = decisions.act(g.actor, item, name)
    except decisions.CannotDo as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("exceptions.index"))
    return _done(outcome)


@pages.post("/resolve")
@requires(Permission.DECIDE_EXCEPTIONS)
@redraws_form
def resolve() -> Any:
    if form_tokens.refused():
        return _again(TICKS_STILL_HERE)
    chosen = exceptions.some(request.form.getlist("item"))
    try:
        closed = decisions.resolve(g.actor, chosen, request.form.get("reason", ""))
    except decisions.CannotDo as refusal:
        return _again(f"{refusal} Nothing was resolved.")
    if not closed:
        why = "What you chose was closed in the meantime" if chosen else "Choose at least one open exception"
        return _again(f"{why}. Nothing was resolved.")
    db.session.commit()
    return htmx.redirect(url_for("exceptions.index", undo=",".join(map(str, closed)) or None))


@pages.post("/reopen")
@requires(Permission.DECIDE_EXCEPTIONS)
def reopen() -> Any:
    opened = decisions.reopen(g.actor, exceptions.some(request.form.getlist("item")))
    db.session.commit()
    flash(
        f"{formatters.count(opened)} open again." if opened else "There was nothing to open again.", "message"
    )
    return htmx.redirect(url_for("exceptions.index"))


@pages.post("/retry")
@requires(Permission.DECIDE_EXCEPTIONS)
@redraws_form
def retry() -> Any:
    """Those chosen, or all open ones of the filter, as far as this person may try them again."""
    if form_tokens.refused():
        return _again(TICKS_STILL_HERE)
    chosen = exceptions.some(request.form.getlist("item"))
    found = cut.Some(chosen, len(chosen)) if chosen else exceptions.open_ones(request.form)
    allowed = [item for item in found if any(one.name == "retry" for one in exceptions.actions(item))]
    outcome = decisions.retry_all(g.actor, allowed)
    if found.is_cut:
        outcome.words += f" These were the oldest {formatters.count(found)} of {formatters.count(found.total)}; retry again for the others."
    return _done(outcome)


def _done(outcome: decisions.Outcome) -> Any:
    db.session.commit()
    outcome.ring()
    flash(outcome.words, "message")
    return htmx.redirect(url_for("exceptions.index"))


def _again(refusal: str) -> Any:
    """The same page with what was ticked and typed, and why nothing was done."""
    db.session.rollback()
    chosen = exceptions.some(request.form.getlist("item"))
    if request.form.get("alone") and chosen:
        return _one(chosen[0], refusal)
    return _list(request.form, refusal, {item.id for item in chosen})


def _list(args: Mapping[str, str], refusal: str = "", ticked: Set[int] = frozenset()) -> Any:
    chosen, counts = exceptions.filter_from(args), exceptions.by_cause()
    return htmx.render(
        "exceptions/index.html",
        "exceptions/_table.html",
        status=422 if refusal else 200,
        chosen=chosen,
        page=exceptions.page(chosen),
        total=sum(counts.values()),
        options=exceptions.cause_options(counts),
        about=exceptions,
        values=exception_values,
        undo=exceptions.some(args.get("undo", "").split(",")),
        refusal=refusal,
        ticked=ticked,
    )


def _one(item: ExceptionItem, refusal: str = "") -> Any:
    invoice = db.session.get(Invoice, (item.tenant_id, item.invoice_id)) if item.invoice_id else None
    return htmx.render(
        "exceptions/show.html",
        "exceptions/_detail.html",
        status=422 if refusal else 200,
        item=item,
        invoice=invoice,
        about=exceptions,
        values=exception_values,
        refusal=refusal,
    )
