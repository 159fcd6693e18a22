"""What was deleted in Autotask? A list from which a person archives, with undo; nothing is archived by itself."""

from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for

from portal import own_records
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.formatters import plural
from portal.queries import missing, owing
from portal.web import htmx

pages = Blueprint("missing", __name__, url_prefix="/p/<partner_slug>/missing")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = missing.filter_from(request.args)
    undo = missing.chosen_ids(chosen.kind, request.args.get("undo", "").split(","))
    return htmx.render(
        "missing/index.html",
        "missing/_table.html",
        chosen=chosen,
        page=missing.page(chosen),
        counts=missing.counts(),
        read_at=missing.read_at(chosen.kind),
        undo=undo,
        closed=missing.closed_deliveries(undo) if chosen.kind == "invoice" else 0,
    )


@pages.post("/archive")
@requires(Permission.ARCHIVE)
def archive() -> Any:
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
def restore() -> Any:
    kind = _kind()
    done = own_records.restore(g.actor, kind, missing.chosen_ids(kind, request.form.getlist("id")))
    db.session.commit()
    flash(f"{plural(len(done), kind)} taken out of the archive.", "success")
    return htmx.redirect(url_for("missing.index", kind=kind))


def _kind() -> str:
    kind = request.form.get("kind", "")
    return kind if kind in missing.KINDS else abort(400, "There is no such list.")
