"""A step that may be refused: its refusal stands beside a form's field or above the page, and nothing is written."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import flash

from portal.extensions import db
from portal.forms.own_records import AmountForm
from portal.own_records import NotAllowed

Result = TypeVar("Result")


def accepted(form: AmountForm, step: Callable[[], Result]) -> Result | None:
    """What the step gives, None when it is refused. The caller commits."""
    try:
        return step()
    except NotAllowed as refusal:
        db.session.rollback()
        form.refuse(refusal)
        return None


def told(step: Callable[[], Any], refusal: type[Exception], done: str) -> bool:
    """Takes the step, commits it and says so, or says why it was refused; whether it was taken."""
    try:
        step()
    except refusal as why:
        db.session.rollback()
        flash(str(why), "warning")
        return False
    db.session.commit()
    flash(done, "success")
    return True
