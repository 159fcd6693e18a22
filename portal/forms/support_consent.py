from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from portal.forms import Form

HOURS = {1: "1 hour", 4: "4 hours", 24: "1 day", 72: "3 days", 168: "7 days"}


class SupportConsentForm(Form):
    hours = SelectField(
        "For how long?",
        choices=[SelectChoice(hours, words) for hours, words in HOURS.items()],
        coerce=int,
        default=24,
        description="You can revoke it at once.",
    )
