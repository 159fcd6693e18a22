"""Links in mails. Opening one changes nothing; what it does is done by its form."""

from typing import Any

import structlog
from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request, url_for

from portal.access import devices, passwords
from portal.access.permissions import public
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.forms.people import FirstLoginForm, NewPasswordForm
from portal.models import LinkPurpose, User
from portal.people import email_changes, invitations, links, passwords_forgotten

pages = Blueprint("links", __name__, url_prefix=links.PATH.rstrip("/"))
log = structlog.get_logger()
CHANGED = "Your password is changed, and you are logged out everywhere. Log in with the new one."
FIRST_SET = "Your login is ready. Log in with your e-mail address and the password that you chose."


@pages.after_app_request
def keep_secret(answer: Response) -> Response:
    """The address is the secret: nobody keeps it. Like every page, it names itself to no other site."""
    if request.path.startswith(links.PATH):
        answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.app_errorhandler(links.DeadLink)
def dead(_: links.DeadLink) -> Any:
    db.session.rollback()
    return render_template("links/dead.html"), 404


@pages.get("/invitation/<token>")
@public
def invitation(token: str) -> Any:
    return _invitation(token, FirstLoginForm(formdata=None))


@pages.post("/invitation/<token>")
@public
def accept_invitation(token: str) -> Any:
    form = FirstLoginForm()
    if g.true_user is not None:
        return _accept_as_known(token)
    row = links.invitation_of(token)
    if invitations.has_login(row.email) or not form.validate():
        return _invitation(token, form, 422)
    try:
        user = invitations.accept_as_new(token, form.name.data, form.password.data, g.request_id)
    except passwords.WeakPassword as weak:
        form.password.errors = [str(weak)]
        return _invitation(token, form, 422)
    db.session.commit()
    log.info("invitation.accepted", user_id=user.id)
    flash("Your login is ready. Log in with your e-mail address and the password that you chose.", "success")
    return _to_login(user)


def _to_login(user: User) -> Response:
    """Whoever reads the person's mails is no stranger: no stranger's wrong passwords keep this browser out."""
    answer = make_response(redirect(url_for("sessions.new"), 303))
    devices.remember(user, answer)
    return answer


def _accept_as_known(token: str) -> Any:
    try:
        partner = invitations.accept(token, g.true_user, g.request_id)
    except invitations.NotYours:
        return _invitation(token, FirstLoginForm(formdata=None), 422)
    db.session.commit()
    log.info("invitation.accepted", user_id=g.true_user.id)
    flash(f"You belong to {partner.name} now.", "success")
    return redirect(url_for("home.show", partner_slug=partner.slug), 303)


def _invitation(token: str, form: FirstLoginForm, status: int = 200) -> Any:
    row = links.invitation_of(token)
    with people_scope():
        known = invitations.has_login(row.email)
    return render_template(
        "links/invitation.html", invitation=row, form=form, token=token, known=known, me=g.true_user
    ), status


@pages.get("/password/<token>")
@public
def password(token: str) -> Any:
    return _password(token, NewPasswordForm(formdata=None))


@pages.post("/password/<token>")
@public
def set_password(token: str) -> Any:
    form = NewPasswordForm()
    if not form.validate():
        return _password(token, form, 422)
    first = passwords_forgotten.is_first(token)
    try:
        user = passwords_forgotten.set_new(token, form.password.data)
    except passwords.WeakPassword as weak:
        db.session.rollback()
        form.password.errors = [str(weak)]
        return _password(token, form, 422)
    db.session.commit()
    log.info("password.reset", user_id=user.id)
    flash(FIRST_SET if first else CHANGED, "success")
    return _to_login(user)


def _password(token: str, form: NewPasswordForm, status: int = 200) -> Any:
    link = links.login_link(token, LinkPurpose.PASSWORD_RESET)
    first = passwords_forgotten.is_first(token)
    return render_template("links/password.html", link=link, form=form, token=token, first=first), status


@pages.get("/email/<token>")
@public
def email(token: str) -> Any:
    return _email(token)


@pages.post("/email/<token>")
@public
def confirm_email(token: str) -> Any:
    try:
        user, new = email_changes.confirm(token)
    except email_changes.Taken:
        return render_template("links/dead.html"), 404
    db.session.commit()
    log.info("email.changed" if new else "email.confirmed", user_id=user.id)
    if not new:
        return render_template("links/half.html")
    flash(f"Your e-mail address is changed. Log in with {new} from now on.", "success")
    return redirect(url_for("sessions.new"), 303)


@pages.post("/email/<token>/refuse")
@public
def refuse_email(token: str) -> Any:
    user = email_changes.refuse(token)
    db.session.commit()
    log.info("email.refused", user_id=user.id)
    flash(
        "Nothing was changed, and this login is signed out everywhere. Choose a new password now: somebody "
        "knew the old one.",
        "warning",
    )
    return redirect(url_for("passwords_forgotten.new"), 303)


def _email(token: str) -> Any:
    link = links.login_link(token, *email_changes.BOTH)
    return render_template(
        "links/email.html", link=link, token=token, old=link.purpose == LinkPurpose.EMAIL_OLD
    )
