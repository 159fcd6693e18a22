from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from portal.forms import Form


class LoginForm(Form):
    email = StringField(
        "E-mail address",
        [InputRequired("Enter your e-mail address."), Length(max=254)],
        render_kw={"type": "email", "autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()


class PasskeyForm(Form):
    """What a script fills in: the browser's answer to the challenge that the page carried."""

    answer = HiddenField(validators=[InputRequired(), Length(max=20_000)])
    challenge = HiddenField(validators=[InputRequired(), Length(max=2000)])
    next = HiddenField()
    typed = HiddenField()
