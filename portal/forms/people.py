"""Who is invited, and what a person says of themselves at a link."""

from typing import Any

from wtforms import PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError

from portal.access.password_strength import LONGEST, SHORTEST
from portal.access.permissions import ROLE_WORDS
from portal.forms import Form
from portal.models import Role
from portal.people import addresses

LONGEST_NAME = 80
PASSWORD_HELP = f"{SHORTEST} characters or more. Four or more words that do not belong together are good."


class EmailField(StringField):
    """An e-mail address, kept as it is written to."""

    data: Any

    def __init__(self, label: str, missing: str, **named: Any) -> None:
        look = {"type": "email", "inputmode": "email", **named.pop("render_kw", {})}
        super().__init__(label, [InputRequired(missing), Length(max=254)], render_kw=look, **named)

    def pre_validate(self, form: Any) -> None:
        if not self.data:
            return
        try:
            self.data = addresses.normalized(self.data)
        except addresses.NoAddress:
            raise ValidationError("Write an e-mail address, such as name@company.com.") from None


def new_password(label: str) -> PasswordField:
    return PasswordField(
        label,
        [
            InputRequired("Choose a password."),
            Length(max=LONGEST, message=f"Use at most {LONGEST} characters."),
        ],
        description=PASSWORD_HELP,
        render_kw={"autocomplete": "new-password"},
    )


class InvitationForm(Form):
    email = EmailField("E-mail address", "Write the e-mail address of the person to invite.")
    role = RadioField(
        "Role",
        [InputRequired("Choose a role.")],
        choices=[SelectChoice(role.value, f"{role.value.capitalize()}: {ROLE_WORDS[role]}") for role in Role],
    )


class RoleForm(Form):
    role = RadioField(
        "Role",
        [InputRequired("Choose a role.")],
        choices=[SelectChoice(role.value, f"{role.value.capitalize()}: {ROLE_WORDS[role]}") for role in Role],
    )


class FirstLoginForm(Form):
    name = StringField(
        "Your name",
        [
            InputRequired("Write your name, as your colleagues know it."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
        render_kw={"autocomplete": "name", "autofocus": True},
    )
    password = new_password("Choose a password")


class NewPasswordForm(Form):
    password = new_password("New password")


class ForgottenPasswordForm(Form):
    email = EmailField(
        "E-mail address",
        "Enter the e-mail address that you log in with.",
        render_kw={"autocomplete": "username", "autofocus": True},
    )


class EmailChangeForm(Form):
    email = EmailField("New e-mail address", "Write the new e-mail address.")
    password = PasswordField(
        "Your password",
        [InputRequired("Enter your password, so that nobody else can do this."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
