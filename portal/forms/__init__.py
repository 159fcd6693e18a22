"""What browsers send us: one file per noun."""

from typing import Any

from flask_wtf import FlaskForm

from portal.access import form_tokens

OPEN_TOO_LONG = (
    "This form was open too long: somebody logged in or out in this browser since it was opened. Nothing was "
    "saved. What you typed is still here; look it over and send it again."
)


class Form(FlaskForm):
    """A form that is invalid, with a sentence above it, while its token is refused."""

    def validate(self, extra_validators: Any = None) -> bool:
        if form_tokens.refused():
            self.form_errors.append(OPEN_TOO_LONG)
            return False
        return bool(super().validate(extra_validators))
