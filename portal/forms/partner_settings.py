"""What a partner is called, and how its pages are."""

from datetime import datetime

from wtforms import BooleanField, HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError

from portal import formatters
from portal.formatters import DATE_FORMATS, NUMBER_EXAMPLES
from portal.forms import Form
from portal.forms.payment import METHODS
from portal.forms.settings import MultiCheckboxField
from portal.forms.support_consent import HOURS
from portal.models import SupportAccess
from portal.money import is_currency

LONGEST_NAME = 80
AS_AGREED = 0
# Not stored as the access: an owner agrees for a time.
ACTS = "act"
OVER = "What was agreed is over by now. Choose for how long from now on."
SUPPORT = {
    ACTS: "Support may look, and work in your name, for the time below",
    SupportAccess.VIEW: "Support may look at your pages, with a reason, for an hour at most",
    SupportAccess.OFF: "Support may not come in",
}


class PartnerSettingsForm(Form):
    name = StringField(
        "Name of your company",
        [
            InputRequired("Write the name of your company."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
        description="Shown on every page, and in mails to the people you invite.",
    )
    default_currency = StringField(
        "Currency",
        [InputRequired("Write the three letters of a currency, such as USD.")],
        filters=[lambda text: text.strip().upper() if isinstance(text, str) else text],
        description="Used where Autotask names none. Amounts that are here already keep theirs.",
        render_kw={"maxlength": 3, "autocomplete": "off"},
    )
    date_format = SelectField(
        "Dates are written like",
        choices=[SelectChoice(name, example) for name, example in DATE_FORMATS.items()],
        description="On pages and in mails. Files keep 2026-11-19, which every spreadsheet reads.",
    )
    number_format = SelectField(
        "Amounts are written like",
        choices=[SelectChoice(name, example) for name, example in NUMBER_EXAMPLES.items()],
        description="Shown so, and typed so: an amount written otherwise is refused, not guessed. Files keep 1234.50.",
    )
    held_methods = MultiCheckboxField(
        "Autotask hears of money on its way only once it has arrived, if it comes by",
        choices=METHODS,
        description="Of money that comes another way, Autotask hears when it is recorded. It holds for what is recorded "
        "from now on.",
    )
    second_factor_for_all = BooleanField(
        "Everybody here needs a second factor",
        description="Owners and managers always do. With this, clerks and readers set one up before their next page.",
    )
    support_access = RadioField(
        "Support",
        [InputRequired("Choose whether support may look.")],
        choices=[SelectChoice(str(value), words) for value, words in SUPPORT.items()],
        description="Every visit is in your activity with what was looked at, and you can end it at once.",
    )

    act_hours = SelectField(
        "If support may work in your name: for how long?",
        choices=[SelectChoice(hours, words) for hours, words in HOURS.items()],
        coerce=int,
        default=24,
        validate_choice=False,
        description="From now on. You can take it back at once. What support never does stands under Settings, Support.",
    )

    agreed = HiddenField()

    def keep(self, until: datetime | None) -> "PartnerSettingsForm":
        """With what is agreed now as the first choice of time."""
        if until is not None:
            kept = SelectChoice(AS_AGREED, f"Until {formatters.instant(until, with_zone=True)}, as agreed")
            self.act_hours.choices = [kept, *(self.act_hours.choices or [])]
        return self

    def validate_act_hours(self, field: SelectField) -> None:
        """It counts only where support may act."""
        offered = [choice.value for choice in field.choices or []]
        if self.support_access.data == ACTS and field.data not in offered:
            raise ValidationError(OVER if field.data == AS_AGREED else "Choose for how long.")

    def validate_default_currency(self, field: StringField) -> None:
        if not is_currency(field.data or ""):
            raise ValidationError("There is no such currency. Write its three letters, such as USD.")
