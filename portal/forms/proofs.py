"""Second factors, and proving that it is you."""

from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from portal.access.factors import LONGEST_NAME
from portal.forms import Form

CODE = {"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}
TOO_LONG = f"Use at most {LONGEST_NAME} characters."


class CodeForm(Form):
    code = StringField(
        "Code",
        [InputRequired("Type the code."), Length(max=64, message="A code is shorter than that.")],
        render_kw={**CODE, "autofocus": True},
    )
    next = HiddenField()
    typed = HiddenField()


class PasswordProofForm(Form):
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=128)],
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )
    next = HiddenField()
    typed = HiddenField()


class FactorNameForm(Form):
    name = StringField(
        "Name",
        [InputRequired("Give it a name."), Length(max=LONGEST_NAME, message=TOO_LONG)],
        description="So that you know which one it is, such as the phone that it is on.",
    )


class AuthenticatorForm(FactorNameForm):
    """`offer` is the new secret, sealed."""

    code = StringField(
        "Code that the app shows now",
        [InputRequired("Type the six digits that the app shows."), Length(max=64)],
        render_kw={**CODE, "inputmode": "numeric"},
    )
    offer = HiddenField()
    next = HiddenField()


class NewPasskeyForm(FactorNameForm):
    answer = HiddenField(validators=[InputRequired("The browser made no passkey."), Length(max=20_000)])
    challenge = HiddenField(validators=[InputRequired(), Length(max=2000)])
    next = HiddenField()
