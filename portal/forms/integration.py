from typing import Any

from wtforms import BooleanField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length, Regexp

from portal.connect import ConnectRefused, ConnectRequest
from portal.forms import Form
from portal.models import Integration

CONFIRMATION = "disconnect"
EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+$"

REFUSED_FIELD = {"username": "Copy it again from Autotask.", "secret": "Paste the secret once more."}

IDENTIFIERS = [SelectChoice("number", "Invoice Number"), SelectChoice("id", "Autotask ID")]
ROLES = [
    SelectChoice("primary", "Primary: customers and invoices come from Autotask"),
    SelectChoice("secondary", "Secondary: they come from another system, Autotask is told of payments"),
]
READINGS = [
    SelectChoice("without_tax", "Without tax: tax is added to what is owed"),
    SelectChoice("with_tax", "With tax: the total is what is owed"),
]


def _trimmed(text: str | None) -> str | None:
    return text.strip() if text else text


class CredentialsForm(Form):
    """The login. The secret is a password field: it is never put back into the page."""

    email = StringField(
        "E-mail address of your Autotask account",
        [
            InputRequired("Enter the e-mail address of your Autotask account."),
            Length(max=254),
            Regexp(EMAIL, message="Enter a whole e-mail address, such as dana@example.com."),
        ],
        filters=[_trimmed],
        render_kw={"type": "email", "autocomplete": "email"},
    )
    username = StringField(
        "Username (Key)",
        [InputRequired("Paste the Username (Key) of the API user."), Length(max=255)],
        filters=[_trimmed],
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )
    secret = PasswordField(
        "Password (Secret)",
        [InputRequired("Paste the Password (Secret) of the API user."), Length(max=255)],
        filters=[_trimmed],
        render_kw={"autocomplete": "off"},
    )

    def show(self, refusal: ConnectRefused) -> None:
        """Says above the form why Autotask refused, and marks the field that it is about."""
        self.form_errors.extend(refusal.sentences)
        field = self._fields.get(refusal.field or "")
        if field is not None:
            field.errors = [*field.errors, REFUSED_FIELD[field.name]]

    def request_for(self, integration: Integration) -> ConnectRequest:
        """New credentials for a connection whose other settings stay."""
        return self._request(identifier=integration.identifier, role=integration.role)

    def _request(self, **settings: Any) -> ConnectRequest:
        return ConnectRequest(
            email=self.email.data, username=self.username.data, secret=self.secret.data, **settings
        )


class ConnectForm(CredentialsForm):
    """The login, and how invoices are shown and where they come from."""

    identifier = RadioField(
        "Invoice Number or Autotask ID", [InputRequired("Choose one.")], choices=IDENTIFIERS, default="number"
    )
    role = RadioField(
        "Role of this integration", [InputRequired("Choose one.")], choices=ROLES, default="primary"
    )

    filters_first = BooleanField("Choose filters before the first sync")

    def request(self) -> ConnectRequest:
        return self._request(identifier=self.identifier.data, role=self.role.data)


class IdentifierForm(Form):
    identifier = RadioField("Shown for an invoice", [InputRequired("Choose one.")], choices=IDENTIFIERS)


class TotalsForm(Form):
    totals_mode = RadioField(
        "Autotask's invoice totals are", [InputRequired("Choose one.")], choices=READINGS
    )


class DisconnectForm(Form):
    confirmation = StringField(
        f"Type {CONFIRMATION} to confirm",
        [AnyOf([CONFIRMATION], message=f"Type the word {CONFIRMATION} to go on. Nothing was changed.")],
        filters=[lambda text: text.strip().lower() if text else text],
        render_kw={"autocomplete": "off", "autocapitalize": "none"},
    )
