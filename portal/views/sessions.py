"""Logging in and out."""

from typing import Any

import structlog
from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from portal.access import devices, logins, passkeys, proving, security_events, sessions, who_needs_a_factor
from portal.access.form_tokens import redraws_form
from portal.access.permissions import public, signed_in
from portal.access.who_needs_a_factor import Step, open_at
from portal.extensions import db
from portal.forms.session import LoginForm, PasskeyForm
from portal.models import LOGIN_STARTED, Factor, User
from portal.web import htmx, limits
from portal.web.own_path import own_path

pages = Blueprint("sessions", __name__)
log = structlog.get_logger()


@pages.get("/login")
@public
def new() -> Any:
    form = LoginForm(formdata=None, data={"next": request.args.get("next", "")})
    return _page(form)


@pages.post("/login")
@public
@redraws_form
def create() -> Any:
    form = LoginForm()
    try:
        user = logins.attempt(form.email.data, form.password.data) if form.validate() else None
    except limits.TooMany as too_many:
        return *_page(form, 429, too_many=too_many.description), {"Retry-After": str(too_many.retry_after)}
    if user is None:
        log.info("login.refused", account=sessions.account_mark(form.email.data), address=request.remote_addr)
        return _page(form, 422, refused=not form.errors)
    return _let_in(user, form.next.data, "password")


@pages.post("/login/passkey")
@public
def create_with_passkey() -> Any:
    form = PasskeyForm()
    limits.take(limits.LOGIN_ADDRESS, limits.address(), what=logins.WRONG)
    factor = passkeys.proved(form.answer.data, form.challenge.data, None) if form.validate() else None
    user = passkeys.owner(factor) if factor else None
    if factor is None or user is None:
        db.session.rollback()
        log.info("login.refused", account="passkey", address=request.remote_addr)
        return _page(LoginForm(formdata=None, data={"next": form.next.data}), 422, passkey_refused=True)
    limits.give_back(limits.LOGIN_ADDRESS, limits.address())
    return _let_in(user, form.next.data, "passkey", factor)


def _let_in(user: User, target: str | None, how: str, factor: Factor | None = None) -> Response:
    """A passkey proves everything; after a password the second step may follow, asked for by the next page."""
    login = sessions.start(user)
    if factor is not None:
        proving.proved(login, factor)
    if who_needs_a_factor.wanted(login) is None:
        security_events.note(user, LOGIN_STARTED, how=how)
    db.session.commit()
    log.info("login.started", user_id=user.id, how=how)
    answer = make_response(redirect(own_path(target) or url_for("partners.index"), 303))
    devices.remember(user, answer)
    return answer


def _page(form: LoginForm, status: int = 200, **words: Any) -> Any:
    offer = passkeys.to_prove(None) if passkeys.possible() else None
    demo = [_demo_line(line) for line in current_app.config["DEMO_LOGINS"]]
    return render_template("sessions/new.html", form=form, offer=offer, demo=demo, **words), status


def _demo_line(line: str) -> tuple[str, str, str]:
    """Who it is about, what is said of them, and an address to open."""
    who, _, said = line.partition(": ")
    words, _, address = said.partition("http://")
    return who, words, f"http://{address}" if address else ""


@pages.post("/logout")
@signed_in
@open_at(*Step)
def destroy() -> Any:
    sessions.end()
    db.session.commit()
    session.clear()
    answer = htmx.redirect(url_for("sessions.new"))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer
