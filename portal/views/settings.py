"""Settings: people, time zone, API keys."""

from typing import Any

from flask import Blueprint, flash, g, make_response, render_template, request, url_for

from portal.access import api_keys, audit
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.settings import WORDS, ApiKeyForm, TimeZoneForm
from portal.models import ApiKey
from portal.notices import people
from portal.payments import idempotency
from portal.queries import settings
from portal.web import htmx

pages = Blueprint("settings", __name__, url_prefix="/p/<partner_slug>/settings")

FORM = "api key"
MADE_BEFORE = "This form already made a key, and its secret was shown. If you did not keep it, revoke it and make another."


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    return _page(TimeZoneForm(formdata=None, time_zone=g.partner.time_zone), ApiKeyForm(formdata=None))


@pages.post("/time-zone")
@requires(Permission.USERS)
def set_time_zone() -> Any:
    form = TimeZoneForm()
    if not form.validate():
        return _page(form, ApiKeyForm(formdata=None), 422)
    before, g.partner.time_zone = g.partner.time_zone, form.time_zone.data
    audit.record(
        g.actor,
        "partner.time_zone_changed",
        "partner",
        g.partner.id,
        before=before,
        after=form.time_zone.data,
    )
    db.session.commit()
    flash(f"Times are now told in {form.time_zone.data.replace('_', ' ')}.", "success")
    return htmx.redirect(url_for("settings.show"))


@pages.post("/api-keys")
@requires(Permission.API_KEYS)
@redraws_form
@fresh
def create_api_key() -> Any:
    form = ApiKeyForm()
    if not form.validate():
        return _page(TimeZoneForm(formdata=None, time_zone=g.partner.time_zone), form, 422)
    claimed = idempotency.claim_form(FORM, form.key.data, {})
    if claimed.answer is not None:
        db.session.rollback()
        flash(MADE_BEFORE, "warning")
        return htmx.redirect(url_for("settings.show", _anchor="api-keys"))
    key, secret = api_keys.create(g.actor, form.name.data, form.scopes.data)
    people.tell_key(key, g.true_user)
    idempotency.keep(claimed, api_key_id=key.id)
    db.session.commit()
    answer = make_response(render_template("settings/api_key.html", key=key, secret=secret, words=WORDS), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/api-keys/<int:key_id>/revoke")
@requires(Permission.API_KEYS)
@fresh
def confirm_revoking(key_id: int) -> Any:
    return _revoking(find_or_404(ApiKey, key_id))


@pages.post("/api-keys/<int:key_id>/revoke")
@requires(Permission.API_KEYS)
@fresh
def revoke_api_key(key_id: int) -> Any:
    if request.form.get("told") != str(key_id):
        return _revoking(find_or_404(ApiKey, key_id), 422)
    key = api_keys.revoke(g.actor, key_id)
    db.session.commit()
    flash(f"The key “{key.name}” is revoked. It opens nothing any more.", "success")
    return htmx.redirect(url_for("settings.show", _anchor="api-keys"))


def _revoking(key: ApiKey, status: int = 200) -> Any:
    return htmx.render("settings/revoke.html", "settings/_revoke.html", status=status, key=key, words=WORDS)


def _page(zone: TimeZoneForm, key: ApiKeyForm, status: int = 200) -> Any:
    return htmx.render(
        "settings/show.html",
        "settings/_detail.html",
        status=status,
        zone=zone,
        key_form=key.with_key(),
        keys=settings.keys(request.args),
        members=settings.members(),
        words=WORDS,
    )
