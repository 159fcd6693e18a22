"""All second factors lost: asked for after the password, stopped by the link in the mail, agreed to by staff."""

from typing import Any

import structlog
from flask import Blueprint, flash, g, render_template, request, url_for

from portal.access import factor_resets, form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import public, signed_in, staff_only
from portal.access.who_needs_a_factor import Step, open_at
from portal.extensions import db
from portal.forms.lost_factors import MADE_SURE, STOPPED, AgreementForm
from portal.people import lost_factors
from portal.queries import lost_factors as waiting
from portal.web import htmx, refusable

pages = Blueprint("lost_factors", __name__)
log = structlog.get_logger()


@pages.get("/prove/lost")
@signed_in
@open_at(Step.PROVE)
def new() -> Any:
    return _asking()


@pages.post("/prove/lost")
@signed_in
@open_at(Step.PROVE)
def create() -> Any:
    if g.login_session.user.second_factor_at is None:
        return htmx.redirect(url_for("account.show"))
    try:
        lost_factors.ask(g.login_session)
    except lost_factors.CannotAsk as refusal:
        db.session.rollback()
        return _asking(str(refusal), 422)
    db.session.commit()
    log.info("factors.lost", user_id=g.login_session.user_id)
    return htmx.redirect(url_for("lost_factors.new"))


def _asking(refused: str = "", status: int = 200) -> Any:
    row = factor_resets.open_one(g.login_session.user_id)
    return render_template(
        "lost_factors/new.html", asked=row, refused=refused, person=g.login_session.user
    ), status


@pages.get("/links/factors/<token>")
@public
def link(token: str) -> Any:
    return render_template("lost_factors/link.html", asked=lost_factors.of_link(token), token=token)


@pages.post("/links/factors/<token>")
@public
def withdraw(token: str) -> Any:
    user = lost_factors.withdraw(token)
    db.session.commit()
    log.info("factors.kept", user_id=user.id)
    return render_template("lost_factors/link.html", asked=None, token=token)


@pages.get("/staff/lost-factors")
@staff_only
def index() -> Any:
    return render_template("lost_factors/index.html", listed=waiting.page(request.args))


@pages.get("/staff/lost-factors/<int:reset_id>")
@staff_only
@fresh
def show(reset_id: int) -> Any:
    return _page(reset_id, AgreementForm(formdata=None))


@pages.post("/staff/lost-factors/<int:reset_id>/agree")
@staff_only
@fresh
@redraws_form
def agree(reset_id: int) -> Any:
    form = AgreementForm()
    if not form.validate():
        return _page(reset_id, form, 422)

    def step() -> None:
        lost_factors.agree_as_staff(g.actor, reset_id, form.how.data)

    if refusable.told(step, lost_factors.CannotAgree, MADE_SURE):
        return htmx.redirect(url_for("lost_factors.show", reset_id=reset_id))
    return htmx.redirect(url_for("lost_factors.index"))


@pages.post("/staff/lost-factors/<int:reset_id>/stop")
@staff_only
@fresh
def stop(reset_id: int) -> Any:
    refusable.told(lambda: lost_factors.stop_as_staff(g.actor, reset_id), lost_factors.CannotAgree, STOPPED)
    return htmx.redirect(url_for("lost_factors.index"))


def _page(reset_id: int, form: AgreementForm, status: int = 200) -> Any:
    one = waiting.one(reset_id)
    if one is None:
        flash(lost_factors.OVER, "warning")
        return htmx.redirect(url_for("lost_factors.index"))
    if not one.asks_me:
        form_tokens.insist()
    return render_template("lost_factors/show.html", one=one, form=form), status
