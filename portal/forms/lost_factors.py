"""Making sure that it is the person who has lost all second factors."""

from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length

from portal.forms import Form

SHORTEST, LONGEST = 10, 300
MADE_SURE = "It is written down that you made sure."
STOPPED = "The request is stopped, and the person is told. Their second factors stay."


class AgreementForm(Form):
    how = StringField(
        "How did you make sure that it is them?",
        [
            InputRequired("Write how you made sure."),
            Length(SHORTEST, LONGEST, message=f"Write {SHORTEST} to {LONGEST} characters."),
        ],
        description="Such as: I called her at the office and we talked. A mail or a chat is not enough.",
        render_kw={"autocomplete": "off"},
    )
    sure = BooleanField(
        "It is this person, and they have lost every second factor and recovery code",
        [InputRequired("Tick this only if you are sure.")],
    )
