from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from portal.access.support import SHORTEST_REASON
from portal.forms import Form


class SupportVisitForm(Form):
    reason = StringField(
        "Why do you step in?",
        [
            InputRequired("Say why. The partner sees this in their own activity log."),
            Length(
                min=SHORTEST_REASON, max=500, message=f"Say why in at least {SHORTEST_REASON} characters."
            ),
        ],
        render_kw={"autofocus": True},
    )
    ticket = StringField("Ticket", [Length(max=60)])
    minutes = SelectField(
        "For how long?",
        choices=[SelectChoice(minutes, f"{minutes} minutes") for minutes in (15, 30, 60)],
        coerce=int,
        default=30,
    )
    to = HiddenField()
