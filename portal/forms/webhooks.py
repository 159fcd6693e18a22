"""A webhook's endpoint: its address, its name, what it hears of, and, for a new one, what messages are signed with."""

from typing import Any

from wtforms import StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError

from portal.forms import Form
from portal.forms.settings import MultiCheckboxField
from portal.webhooks import kinds, signing
from portal.webhooks.addresses import LONGEST
from portal.webhooks.endpoints import LONGEST_NAME, Wanted


def _can_sign(_: Any, field: Any) -> None:
    try:
        signing.key_of(field.data or "")
    except signing.BadSecret as refusal:
        raise ValidationError(str(refusal)) from None


class EndpointForm(Form):
    """An endpoint that is there already."""

    name = StringField(
        "Name",
        [
            InputRequired("Give it a name."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
        description="Such as the system that listens there.",
    )
    url = StringField(
        "Address",
        [
            InputRequired("Enter the address."),
            Length(max=LONGEST, message=f"Use at most {LONGEST:,} characters."),
        ],
        description="It begins with https:// and takes POST. A test message is sent there before anything is saved.",
    )
    kinds = MultiCheckboxField(
        "What it hears of",
        [InputRequired("Choose what it hears of.")],
        choices=[SelectChoice(kind.value, f"{kinds.KINDS[kind]} ({kind})") for kind in kinds.OFFERED],
    )

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.url.data or "", self.name.data or "", self.kinds.data or [])


class NewEndpointForm(EndpointForm):
    """A new one, with the secret that the page drew; it is shown only until the endpoint is saved."""

    secret = StringField(
        "Secret",
        [InputRequired("Something was lost on the way. Open this page anew."), _can_sign],
        description="Put it where your system verifies signatures, before you test. Once saved it is never shown again.",
    )

    def with_secret(self) -> "NewEndpointForm":
        """The form as a page shows it."""
        if self.secret.errors or not self.secret.data:
            self.secret.data = signing.new_secret()
        return self
