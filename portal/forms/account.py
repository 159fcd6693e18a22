"""What a person changes about their own login."""

from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from portal.forms import Form


class NameForm(Form):
    name = StringField(
        "Name",
        [InputRequired("Type your name."), Length(max=120, message="Use at most 120 characters.")],
        description="As others see it beside what you do.",
        render_kw={"autocomplete": "name"},
    )


class PasswordForm(Form):
    current = PasswordField(
        "Current password",
        [InputRequired("Type the password that you have now."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField(
        "New password",
        [InputRequired("Type a new password.")],
        description="12 characters or more: four or more words that do not belong together are good.",
        render_kw={"autocomplete": "new-password"},
    )
