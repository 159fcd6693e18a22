"""The staff people: invited, disabled and enabled by administrators among them."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import staff_administrators_only
from portal.extensions import db
from portal.forms.staff import StaffForm
from portal.mail import on_its_way
from portal.models import User
from portal.people import staff
from portal.queries import people
from portal.web import htmx

SENT = " is on its way to "
pages = Blueprint("staff_people", __name__, url_prefix="/staff/people")


@pages.get("")
@staff_administrators_only
def index() -> Any:
    return _page(StaffForm(formdata=None))


@pages.post("")
@staff_administrators_only
@redraws_form
@fresh
def invite() -> Any:
    form = StaffForm()
    if not form.validate():
        return _page(form, 422)
    try:
        user = staff.invite(g.actor, form.email.data, form.name.data, administrator=form.administrator.data)
    except staff.CannotChange as refusal:
        db.session.rollback()
        form.email.errors = [str(refusal)]
        return _page(form, 422)
    db.session.commit()
    flash(
        *on_its_way.told(f"An invitation is on its way to {user.email}. Its link works once, for 24 hours.")
    )
    return htmx.redirect(url_for("staff_people.index"))


@pages.post("/<int:user_id>/send-again")
@staff_administrators_only
@fresh
def send_again(user_id: int) -> Any:
    return _done(lambda: staff.send_again(g.actor, user_id), "Another link is on its way to {0.email}.")


@pages.post("/<int:user_id>/disable")
@staff_administrators_only
@fresh
def disable(user_id: int) -> Any:
    said = "{0.label} is disabled and logged out everywhere."
    return _done(lambda: staff.set_disabled(g.actor, user_id, disabled=True), said)


@pages.post("/<int:user_id>/enable")
@staff_administrators_only
@fresh
def enable(user_id: int) -> Any:
    return _done(lambda: staff.set_disabled(g.actor, user_id, disabled=False), "{0.label} may log in again.")


@pages.post("/<int:user_id>/administrator")
@staff_administrators_only
@fresh
def make_administrator(user_id: int) -> Any:
    said = "{0.label} looks after staff people now."
    return _done(lambda: staff.set_administrator(g.actor, user_id, administrator=True), said)


@pages.post("/<int:user_id>/no-administrator")
@staff_administrators_only
@fresh
def unmake_administrator(user_id: int) -> Any:
    said = "{0.label} no longer looks after staff people."
    return _done(lambda: staff.set_administrator(g.actor, user_id, administrator=False), said)


def _done(work: Callable[[], User], said: str) -> Any:
    try:
        user = work()
    except staff.CannotChange as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
    else:
        db.session.commit()
        words = said.format(user)
        flash(*(on_its_way.told(words) if SENT in words else (words, "success")))
    return htmx.redirect(url_for("staff_people.index"))


def _page(form: StaffForm, status: int = 200) -> Any:
    return render_template(
        "staff_people/index.html",
        form=form,
        listed=people.staff(request.args),
        found=people.how_many_staff(),
    ), status
