"""A step that may be refused, taken for a form: its refusal stands beside the field, and nothing is written."""

from collections.abc import Callable
from typing import TypeVar

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
