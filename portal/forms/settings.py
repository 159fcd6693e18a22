"""A partner's settings: its time zone and its API keys."""

import secrets
from zoneinfo import available_timezones

from wtforms import HiddenField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from portal.access.api_keys import LONGEST_NAME, Scope
from portal.forms import Form

WORDS = {
    Scope.READ: "Read customers, invoices and payments",
    Scope.WRITE_PAYMENTS: "Record and delete payments",
    Scope.WRITE_INVOICES: "Bring in customers and invoices of your own system",
    Scope.READ_EVENTS: "Hear what happened, event by event",
}


class MultiCheckboxField(SelectMultipleField):
    """One box for each choice, without a list to hold a key down in."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


TIME_ZONES = [
    SelectChoice(name, name.replace("_", " "))
    for name in sorted(available_timezones())
    if name != "localtime"
]


class TimeZoneForm(Form):
    time_zone = SelectField(
        "Time zone",
        choices=TIME_ZONES,
        description="“Today”, “overdue” and the times on pages are told in this zone. Dates never shift.",
    )


class ApiKeyForm(Form):
    """What a new key is called and may do; `key` is the form's own, so that sending it again makes no second one."""

    key = HiddenField(
        validators=[Length(min=16, max=64, message="Something was lost on the way. Send it once more.")]
    )
    name = StringField(
        "Name",
        [
            InputRequired("Give the key a name."),
            Length(max=LONGEST_NAME, message="Use at most 80 characters."),
        ],
        description="Such as the system that uses it.",
    )
    scopes = MultiCheckboxField(
        "What it may do",
        [InputRequired("Choose what the key may do.")],
        choices=[SelectChoice(scope.value, words) for scope, words in WORDS.items()],
    )

    def with_key(self) -> "ApiKeyForm":
        """The form as a page shows it."""
        if self.key.errors or not self.key.data:
            self.key.data = secrets.token_urlsafe(24)
        return self
