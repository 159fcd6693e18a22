"""Your login: name, password, second factors, where it is open, what happened to it."""

from typing import Any

from flask import Blueprint, abort, flash, g, make_response, render_template, request, url_for

from portal.access import devices, factors, passkeys, passwords, recovery_codes, security_events, sessions
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import signed_in
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.forms.account import NameForm, PasswordForm
from portal.people import links
from portal.queries import account
from portal.web import device_words, htmx, limits
from portal.web.page_context import partners_of

pages = Blueprint("account", __name__, url_prefix="/you")
WRONG = "This is not the password that you have now."


@pages.get("")
@signed_in
def show() -> Any:
    return _page(NameForm(formdata=None, data={"name": g.true_user.name}))


@pages.post("/name")
@signed_in
@redraws_form
def set_name() -> Any:
    form = NameForm()
    if not form.validate():
        return _page(form, 422)
    g.true_user.name = form.name.data
    db.session.commit()
    flash("Your name is changed.", "success")
    return htmx.redirect(url_for("account.show"))


@pages.get("/password")
@signed_in
@fresh
def edit_password() -> Any:
    return render_template("account/password.html", form=PasswordForm(formdata=None))


@pages.post("/password")
@signed_in
@redraws_form
@fresh
def update_password() -> Any:
    form, user = PasswordForm(), g.true_user
    if not form.validate() or not _may_be_taken(form):
        return render_template("account/password.html", form=form), 422
    sessions.end_all(user.id, but=g.login_session)
    with people_scope():
        links.end_all(user.id)
    security_events.record(user, security_events.PASSWORD_CHANGED)
    sessions.renew(g.login_session)
    db.session.commit()
    flash("The password is changed. Other browsers were logged out.", "success")
    answer = make_response(htmx.redirect(url_for("account.show")))
    devices.remember(user, answer)
    return answer


@pages.post("/sessions/<int:login_session_id>/end")
@signed_in
def end_session(login_session_id: int) -> Any:
    login = account.open_login(g.true_user, login_session_id) or abort(404)
    if login.id == g.login_session.id:
        sessions.end()
        db.session.commit()
        return htmx.redirect(url_for("sessions.new"))
    sessions.end_one(login)
    db.session.commit()
    flash(f"{device_words.device(login.user_agent)} is logged out.", "success")
    return htmx.redirect(url_for("account.show", _anchor="sessions"))


@pages.post("/sessions/end-others")
@signed_in
def end_other_sessions() -> Any:
    sessions.end_all(g.true_user.id, but=g.login_session)
    security_events.record(g.true_user, security_events.SIGNED_OUT)
    db.session.commit()
    flash("All other browsers are logged out.", "success")
    return htmx.redirect(url_for("account.show", _anchor="sessions"))


def _may_be_taken(form: PasswordForm) -> bool:
    """Whether the password of now is right and the new one strong; stores it then."""
    user = g.true_user
    limits.take(limits.LOGIN_DEVICE, "password change", user.id, what="There were too many wrong passwords.")
    if not passwords.matches(user.password_hash, form.current.data):
        form.current.errors = [WRONG]
        return False
    limits.give_back(limits.LOGIN_DEVICE, "password change", user.id)
    about = [user.email, user.name, *(part for one in partners_of(user.id) for part in (one.name, one.slug))]
    try:
        user.password_hash = passwords.hashed(form.password.data, about)
    except passwords.WeakPassword as weak:
        form.password.errors = [str(weak)]
        return False
    return True


def _page(form: NameForm, status: int = 200) -> Any:
    user = g.true_user
    page = render_template(
        "account/show.html",
        form=form,
        factors=factors.of(user),
        kinds=factors.KINDS,
        codes_left=recovery_codes.left(user),
        logins=account.open_logins(user),
        here=g.login_session,
        events=account.events(user, all_of_them=request.args.get("events") == "all"),
        sentences=security_events.SENTENCES,
        more=security_events.more,
        how=security_events.how,
        words=device_words,
        no_passkeys=passkeys.why_not(),
    )
    return page, status
