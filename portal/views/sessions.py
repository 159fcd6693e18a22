"""Logging in and out."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portal.access import devices, logins, sessions
from portal.access.form_tokens import redraws_form
from portal.access.permissions import public, signed_in
from portal.extensions import db
from portal.forms.session import LoginForm
from portal.web import htmx

pages = Blueprint("sessions", __name__)
log = structlog.get_logger()


@pages.get("/login")
@public
def new() -> Any:
    form = LoginForm(formdata=None, data={"next": request.args.get("next", "")})
    return render_template("sessions/new.html", form=form)


@pages.post("/login")
@public
@redraws_form
def create() -> Any:
    form = LoginForm()
    user = logins.attempt(form.email.data, form.password.data) if form.validate() else None
    if user is None:
        log.info("login.refused", account=sessions.account_mark(form.email.data), address=request.remote_addr)
        return render_template("sessions/new.html", form=form, refused=not form.errors), 422
    sessions.start(user)
    db.session.commit()
    log.info("login.started", user_id=user.id)
    answer = make_response(redirect(own_path(form.next.data) or url_for("partners.index"), 303))
    devices.remember(user, answer)
    return answer


@pages.post("/logout")
@signed_in
def destroy() -> Any:
    sessions.end()
    db.session.commit()
    session.clear()
    answer = htmx.redirect(url_for("sessions.new"))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def own_path(target: str | None) -> str | None:
    """The target when it is the path of one of our own pages, else None (never another site)."""
    if not target or len(target) > 2000 or not target.startswith("/") or not target.isprintable():
        return None
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or "\\" in target or target.startswith("//"):
        return None
    try:
        current_app.url_map.bind("").match(parts.path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return target
