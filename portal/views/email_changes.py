"""Another e-mail address for one's own login."""

from typing import Any

from flask import Blueprint, g, render_template

from portal.access import logins
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import signed_in
from portal.extensions import db
from portal.forms.people import EmailChangeForm
from portal.people import email_changes
from portal.web import limits

pages = Blueprint("email_changes", __name__, url_prefix="/account/email")
WRONG = "This is not your password."


@pages.get("")
@signed_in
@fresh
def new() -> Any:
    return render_template("email_changes/new.html", form=EmailChangeForm(formdata=None))


@pages.post("")
@signed_in
@redraws_form
@fresh
def create() -> Any:
    form = EmailChangeForm()
    if form.validate() and form.email.data.lower() == g.true_user.email.lower():
        form.email.errors = ["This is your e-mail address already."]
    elif not form.errors and logins.attempt(g.true_user.email, form.password.data) is None:
        form.password.errors = [WRONG]
    if form.errors or form.form_errors:
        return render_template("email_changes/new.html", form=form), 422
    limits.take(limits.EMAIL_CHANGE, g.true_user.id, what="Your address was changed too often today.")
    email_changes.ask(g.true_user, form.email.data)
    db.session.commit()
    return render_template("email_changes/asked.html", email=form.email.data)
