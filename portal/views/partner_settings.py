"""Settings of the partner itself: its name, currency, dates, and support's access."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal.access import consent, visiting
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.partner_settings import ACTS, AS_AGREED, PartnerSettingsForm
from portal.models import SupportAccess
from portal.people import partner
from portal.web import htmx

MEANWHILE = (
    "Since your page was opened, an owner agreed that support works in your name. That stays; take it back under "
    "Settings, Support."
)
pages = Blueprint("partner_settings", __name__, url_prefix="/p/<partner_slug>/settings/partner")


@pages.get("")
@requires(Permission.SETTINGS)
@fresh
def edit() -> Any:
    now = {name: getattr(g.partner, name) for name in partner.FIELDS}
    if visiting.agreed(g.partner):
        now |= {"support_access": ACTS, "act_hours": AS_AGREED, "agreed": consent.mark(g.partner)}
    return _page(PartnerSettingsForm(formdata=None, data=now))


@pages.post("")
@requires(Permission.SETTINGS)
@fresh
@redraws_form
def update() -> Any:
    form = PartnerSettingsForm().keep(_agreed_until())
    if not form.validate():
        return _page(form, 422, kept=True)
    wanted = {name: form[name].data for name in partner.FIELDS}
    acts = wanted["support_access"] == ACTS
    wanted["support_access"] = SupportAccess.VIEW if acts else wanted["support_access"]
    changed = partner.change(g.actor, wanted, not_acting=None if acts else _shown(form))
    if acts and form.act_hours.data != AS_AGREED:
        consent.give(g.actor, timedelta(hours=form.act_hours.data))
        changed = True
    db.session.commit()
    flash(
        "The settings are saved." if changed else "Nothing was different, so nothing was changed.", "success"
    )
    if not acts and visiting.agreed(g.partner):
        flash(MEANWHILE, "warning")
    return htmx.redirect(url_for("settings.show"))


def _shown(form: PartnerSettingsForm) -> str | None:
    """The mark of the agreement to act that the page showed, None where it showed that there is none.

    A page that tells neither takes back whatever is agreed.
    """
    told: str = form.agreed.data or ""
    return told or (None if form.agreed.raw_data else "")


def _agreed_until() -> datetime | None:
    return g.partner.support_act_until if visiting.agreed(g.partner) else None


def _page(form: PartnerSettingsForm, status: int = 200, *, kept: bool = False) -> Any:
    form = form if kept else form.keep(_agreed_until())
    return render_template("partner_settings/edit.html", form=form), status
