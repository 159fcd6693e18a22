"""What was deleted in Autotask? A list from which a person archives, with undo; nothing is archived by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for

from portal import own_records
from portal.access import form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.formatters import plural
from portal.forms import TICKS_STILL_HERE
from portal.queries import missing, owing
from portal.web import htmx

pages = Blueprint("missing", __name__, url_prefix="/p/<partner_slug>/missing")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return _list(request.args)


def _again() -> Any:
    """The same list with what was ticked, after its token was refused."""
    kind = missing.filter_from(request.form).kind
    ticked = missing.chosen_ids(kind, request.form.getlist("id"))
    return _list(request.form, TICKS_STILL_HERE, ticked)


def _list(args: Mapping[str, str], refusal: str = "", ticked: Sequence[int] = ()) -> Any:
    chosen = missing.filter_from(args)
    undo = missing.chosen_ids(chosen.kind, args.get("undo", "").split(","))
    return htmx.render(
        "missing/index.html",
        "missing/_table.html",
        status=422 if refusal else 200,
        refusal=refusal,
        ticked=ticked,
        chosen=chosen,
        page=missing.page(chosen),
        counts=missing.counts(),
        read_at=missing.read_at(chosen.kind),
        undo=undo,
        closed=missing.closed_deliveries(undo) if chosen.kind == "invoice" else 0,
    )


@pages.post("/archive")
@requires(Permission.ARCHIVE)
@redraws_form
def archive() -> Any:
    if form_tokens.refused():
        return _again()
    kind = _kind()
    ids = missing.chosen_ids(kind, request.form.getlist("id"))
    owed = owing.by(ids) if kind == "customer" else []
    if owed and request.form.get("told") != owing.told(owed):
        return render_template("missing/archive.html", ids=ids, owed=owed, told=owing.told(owed)), 422
    done = own_records.archive(g.actor, kind, ids)
    db.session.commit()
    if not done:
        flash("Choose at least one.", "warning")
    return htmx.redirect(url_for("missing.index", kind=kind, undo=",".join(map(str, done)) or None))


@pages.post("/restore")
@requires(Permission.ARCHIVE)
@redraws_form
def restore() -> Any:
    if form_tokens.refused():
        return _again()
    kind = _kind()
    ids = missing.chosen_ids(kind, request.form.getlist("id"))
    done = own_records.restore(g.actor, kind, ids)
    db.session.commit()
    flash(f"{plural(len(done), kind)} taken out of the archive.", "success")
    return htmx.redirect(url_for("missing.index", kind=kind))


def _kind() -> str:
    kind = request.form.get("kind", "")
    return kind if kind in missing.KINDS else abort(400, "There is no such list.")
