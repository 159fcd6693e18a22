"""Settings: the addresses that hear of events, and the messages that went there."""

from typing import Any

from flask import Blueprint, abort, flash, g, make_response, render_template, request, url_for

from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.webhooks import EndpointForm, NewEndpointForm
from portal.models import WebhookEndpoint
from portal.queries import webhooks
from portal.web import htmx, limits
from portal.webhooks import endpoints, kinds, signing
from portal.webhooks.endpoints import Refused, Removed
from portal.webhooks.post import Answer

pages = Blueprint("webhooks", __name__, url_prefix="/p/<partner_slug>/settings/webhooks")


@pages.errorhandler(Removed)
def removed(error: Removed) -> Any:
    db.session.rollback()
    flash(str(error), "warning")
    return htmx.redirect(url_for("webhooks.index"))


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return htmx.render("webhooks/index.html", "webhooks/_list.html", endpoints=webhooks.of_partner())


@pages.get("/new")
@requires(Permission.WEBHOOKS)
@fresh
def new() -> Any:
    return _new(NewEndpointForm(formdata=None, kinds=kinds.USUAL))


@pages.post("")
@requires(Permission.WEBHOOKS)
@redraws_form
@fresh
def create() -> Any:
    form = NewEndpointForm()
    if not form.validate() or not _passes(form, [form.secret.data or ""]):
        return _new(form, 422)
    try:
        row = endpoints.create(g.actor, form.wanted, form.secret.data or "")
    except Refused as refusal:
        return _new(_with(form, str(refusal)), 422)
    db.session.commit()
    flash(f"The test was taken, and “{row.name}” hears of what happens from now on.", "success")
    return htmx.redirect(url_for("webhooks.show", endpoint_id=row.id))


@pages.get("/<int:endpoint_id>")
@requires(Permission.VIEW)
def show(endpoint_id: int) -> Any:
    row = _here(endpoint_id)
    chosen = webhooks.filter_from(request.args)
    page = webhooks.messages(row, chosen)
    return htmx.render("webhooks/show.html", "webhooks/_messages.html", endpoint=row, chosen=chosen, page=page,
                       told=webhooks.told(row), tabs=webhooks.tabs(row, chosen))  # fmt: skip


@pages.get("/<int:endpoint_id>/edit")
@requires(Permission.WEBHOOKS)
@fresh
def edit(endpoint_id: int) -> Any:
    row = _here(endpoint_id)
    return _edit(row, EndpointForm(formdata=None, obj=row))


@pages.post("/<int:endpoint_id>")
@requires(Permission.WEBHOOKS)
@redraws_form
@fresh
def update(endpoint_id: int) -> Any:
    row, form = _here(endpoint_id), EndpointForm()
    if not form.validate() or not _passes(form, signing.open_all(row.id), row.id):
        return _edit(row, form, 422)
    try:
        row = endpoints.change(g.actor, endpoint_id, form.wanted)
    except Refused as refusal:
        return _edit(_here(endpoint_id), _with(form, str(refusal)), 422)
    db.session.commit()
    flash(f"The test was taken, and “{row.name}” is changed.", "success")
    return htmx.redirect(url_for("webhooks.show", endpoint_id=row.id))


@pages.post("/<int:endpoint_id>/test")
@requires(Permission.WEBHOOKS)
@fresh
def test(endpoint_id: int) -> Any:
    answer = _tested(_here(endpoint_id))
    flash(f"Test: {answer.words}", "success" if answer.is_well else "warning")
    return htmx.redirect(url_for("webhooks.show", endpoint_id=endpoint_id))


@pages.post("/<int:endpoint_id>/pause")
@requires(Permission.WEBHOOKS)
@fresh
def pause(endpoint_id: int) -> Any:
    row = endpoints.pause(g.actor, _here(endpoint_id).id)
    db.session.commit()
    flash(
        f"Nothing is sent to “{row.name}” until it is switched on again; then all that it missed.", "success"
    )
    return htmx.redirect(url_for("webhooks.show", endpoint_id=endpoint_id))


@pages.post("/<int:endpoint_id>/resume")
@requires(Permission.WEBHOOKS)
@fresh
def resume(endpoint_id: int) -> Any:
    answer = _tested(_here(endpoint_id))
    if answer.is_well:
        row = endpoints.resume(g.actor, endpoint_id)
        db.session.commit()
        flash(f"“{row.name}” is on again. What it missed is on its way.", "success")
    else:
        flash(f"It stays off, because the test failed: {answer.words}", "warning")
    return htmx.redirect(url_for("webhooks.show", endpoint_id=endpoint_id))


@pages.post("/<int:endpoint_id>/secret")
@requires(Permission.WEBHOOKS)
@fresh
def rotate(endpoint_id: int) -> Any:
    row, secret = endpoints.rotate(g.actor, _here(endpoint_id).id)
    db.session.commit()
    answer = make_response(render_template("webhooks/secret.html", endpoint=row, secret=secret), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/<int:endpoint_id>/remove")
@requires(Permission.WEBHOOKS)
@fresh
def confirm_removing(endpoint_id: int) -> Any:
    row = _here(endpoint_id)
    waiting = endpoints.waiting(row.id)
    return htmx.render("webhooks/remove.html", "webhooks/_remove.html", endpoint=row, waiting=waiting)


@pages.post("/<int:endpoint_id>/remove")
@requires(Permission.WEBHOOKS)
@fresh
def remove(endpoint_id: int) -> Any:
    row = endpoints.remove(g.actor, _here(endpoint_id).id)
    db.session.commit()
    flash(f"“{row.name}” is removed. Nothing is sent there any more.", "success")
    return htmx.redirect(url_for("webhooks.index"))


def _here(endpoint_id: int) -> WebhookEndpoint:
    row = find_or_404(WebhookEndpoint, endpoint_id)
    return row if row in endpoints.of_partner() else abort(404)


def _tested(row: WebhookEndpoint) -> Answer:
    url, secrets = row.url, signing.open_all(row.id)
    limits.take(limits.WEBHOOK_TESTS, g.partner.id, what="There were too many tests of webhooks.")
    return endpoints.test(url, secrets)


def _passes(form: EndpointForm, secrets: list[str], endpoint_id: int = 0) -> bool:
    """Sends the test; a refusal stands beside the address."""
    try:
        endpoints.check(form.wanted, endpoint_id)
    except Refused as refusal:
        _with(form, str(refusal))
        return False
    limits.take(limits.WEBHOOK_TESTS, g.partner.id, what="There were too many tests of webhooks.")
    answer = endpoints.test(form.wanted.url, secrets)
    if not answer.is_well:
        _with(form, f"Nothing was saved, because the test was not taken. {answer.words}")
    return answer.is_well


def _with(form: EndpointForm, sentence: str) -> Any:
    form.url.errors = [sentence]
    return form


def _new(form: NewEndpointForm, status: int = 200) -> Any:
    answer = make_response(render_template("webhooks/new.html", form=form.with_secret()), status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _edit(row: WebhookEndpoint, form: EndpointForm, status: int = 200) -> Any:
    return htmx.render("webhooks/edit.html", "webhooks/edit.html", status=status, endpoint=row, form=form)
