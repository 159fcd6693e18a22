"""A forgotten password: asking for a link. Whether anybody logs in with an address is not told."""

from typing import Any

from flask import Blueprint, current_app, render_template

from portal.access import form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.permissions import public
from portal.forms.people import ForgottenPasswordForm
from portal.people import passwords_forgotten
from portal.web import limits

pages = Blueprint("passwords_forgotten", __name__, url_prefix="/password")
TOO_OFTEN = "A new password was asked for too often."


@pages.get("/forgotten")
@public
def new() -> Any:
    return render_template("passwords_forgotten/new.html", form=ForgottenPasswordForm(formdata=None))


@pages.post("/forgotten")
@public
@redraws_form
def create() -> Any:
    form = ForgottenPasswordForm()
    if not (current_app.config["MAIL"] or current_app.config["DEMO_MAILS"]):
        form_tokens.insist()  # there is no form on the page
    if not form.validate():
        return render_template("passwords_forgotten/new.html", form=form), 422
    limits.take(limits.RESET_ADDRESS, limits.address(), what=TOO_OFTEN)
    limits.take(limits.RESET_ACCOUNT, form.email.data.lower(), what=TOO_OFTEN)
    passwords_forgotten.ask(form.email.data)
    return render_template("passwords_forgotten/asked.html", email=form.email.data)
