"""Settings of the partner itself: its name, currency, dates, and support's access."""

from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.partner_settings import PartnerSettingsForm
from portal.people import partner
from portal.web import htmx

pages = Blueprint("partner_settings", __name__, url_prefix="/p/<partner_slug>/settings/partner")


@pages.get("")
@requires(Permission.SETTINGS)
@fresh
def edit() -> Any:
    now = {name: getattr(g.partner, name) for name in partner.FIELDS}
    return render_template("partner_settings/edit.html", form=PartnerSettingsForm(formdata=None, data=now))


@pages.post("")
@requires(Permission.SETTINGS)
@fresh
@redraws_form
def update() -> Any:
    form = PartnerSettingsForm()
    if not form.validate():
        return render_template("partner_settings/edit.html", form=form), 422
    changed = partner.change(g.actor, {name: form[name].data for name in partner.FIELDS})
    db.session.commit()
    flash(
        "The settings are saved." if changed else "Nothing was different, so nothing was changed.", "success"
    )
    return htmx.redirect(url_for("settings.show"))
