"""The partner's logo: shown to its own people, changed by owners."""

from typing import Any

from flask import Blueprint, flash, g, render_template, url_for
from werkzeug.exceptions import NotFound

from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.logo import LogoForm
from portal.people import logo
from portal.storage import StorageFailed
from portal.web import downloads, htmx

pages = Blueprint("logo", __name__, url_prefix="/p/<partner_slug>/settings")


@pages.get("/logo.png")
@requires(Permission.VIEW)
def picture() -> Any:
    try:
        found = logo.of(g.partner)
    except StorageFailed:
        found = None
    if found is None:
        raise NotFound
    return downloads.png("logo.png", found)


@pages.get("/logo")
@requires(Permission.SETTINGS)
@fresh
def edit() -> Any:
    return _page(LogoForm(formdata=None))


@pages.post("/logo")
@requires(Permission.SETTINGS)
@fresh
@redraws_form
def update() -> Any:
    form = LogoForm()
    if not form.validate():
        return _page(form, 422)
    try:
        logo.change(g.actor, form.logo.data.read(logo.MOST_BYTES + 1))
    except logo.CannotTake as refusal:
        db.session.rollback()
        form.logo.errors = [str(refusal)]
        return _page(form, 422)
    flash("The logo is changed.", "success")
    return htmx.redirect(url_for("logo.edit"))


@pages.post("/logo/remove")
@requires(Permission.SETTINGS)
@fresh
def remove() -> Any:
    removed = logo.remove(g.actor)
    flash("The logo is taken away." if removed else "There was no logo.", "success")
    return htmx.redirect(url_for("logo.edit"))


def _page(form: LogoForm, status: int = 200) -> Any:
    return render_template("partner_settings/logo.html", form=form), status
