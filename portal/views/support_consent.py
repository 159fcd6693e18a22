"""Settings, Support: may it come in, may it act, who agreed to that and until when."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal import clock, formatters
from portal.access import consent, visiting
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import NEVER_BY_SUPPORT, WORDS, Permission, requires
from portal.extensions import db
from portal.forms.support_consent import SupportConsentForm
from portal.models import User
from portal.queries import activity
from portal.web import htmx

pages = Blueprint("support_consent", __name__, url_prefix="/p/<partner_slug>/settings/support")


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    return _page(SupportConsentForm(formdata=None))


@pages.post("/consent")
@requires(Permission.SETTINGS)
@redraws_form
@fresh
def give() -> Any:
    form = SupportConsentForm()
    if not form.validate():
        return _page(form, 422)
    try:
        until = consent.give(g.actor, timedelta(hours=form.hours.data))
    except consent.CannotGive as refusal:
        db.session.rollback()
        form.hours.errors = [str(refusal)]
        return _page(form, 422)
    db.session.commit()
    flash(f"Support may work in your name until {formatters.instant(until, with_zone=True)}.", "success")
    return htmx.redirect(url_for("support_consent.show"))


@pages.post("/consent/take-back")
@requires(Permission.SETTINGS)
def take_back() -> Any:
    taken = consent.take_back(g.actor)
    db.session.commit()
    flash(
        "Support may only look from now on. Visits that could act are over."
        if taken
        else "It was over already: support may only look.",
        "success",
    )
    return htmx.redirect(url_for("support_consent.show"))


def _page(form: SupportConsentForm, status: int = 200) -> Any:
    given_by = g.partner.support_act_given_by_id
    return render_template(
        "support_consent/show.html",
        form=form,
        agreed=visiting.agreed(g.partner),
        given_by=db.session.get(User, given_by) if given_by else None,
        never=[WORDS[permission] for permission in WORDS if permission in NEVER_BY_SUPPORT],
        visits=activity.visits(),
        now=clock.now(),
    ), status
