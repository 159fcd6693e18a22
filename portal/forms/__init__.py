"""What browsers send us: one file per noun."""

from typing import Any

from flask_wtf import FlaskForm

from portal.access import form_tokens

OPEN_TOO_LONG = "This form was open too long: somebody logged in or out in this browser since it was opened. Nothing was saved. "
STILL_HERE = "What you typed is still here; look it over and send it again."
ALMOST_STILL_HERE = "What you typed is still here, but not the password: type it once more."


class Form(FlaskForm):
    """A form that is invalid, with a sentence above it, while its token is refused."""

    def validate(self, extra_validators: Any = None) -> bool:
        if form_tokens.refused():
            secret = any(field.type == "PasswordField" for field in self)
            self.form_errors.append(OPEN_TOO_LONG + (ALMOST_STILL_HERE if secret else STILL_HERE))
            return False
        return bool(super().validate(extra_validators))
