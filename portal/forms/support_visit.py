from collections.abc import Sequence

from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from portal.access.support_visits import SHORTEST_REASON, Wish
from portal.forms import Form
from portal.models import User, VisitMode


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
    mode = RadioField(
        "What do you need?",
        choices=[
            SelectChoice(VisitMode.VIEW.value, "Look: see the pages, change nothing"),
            SelectChoice(
                VisitMode.ACT.value, "Act: work in this person's name, as far as the partner agreed"
            ),
        ],
        default=VisitMode.VIEW.value,
    )
    as_user = SelectField("As whom?", coerce=int)
    minutes = SelectField(
        "For how long?",
        choices=[SelectChoice(minutes, f"{minutes} minutes") for minutes in (15, 30, 60)],
        coerce=int,
        default=30,
    )
    to = HiddenField()

    def with_people(self, people: Sequence[tuple[User, str]]) -> "SupportVisitForm":
        """The form with those whom one can act as; unless more was asked for, one looks, as the first of them."""
        self.as_user.choices = [SelectChoice(user.id, f"{user.label}, {role}") for user, role in people]
        if not self.as_user.raw_data and people:
            self.as_user.data = people[0][0].id
        self.mode.data = self.mode.data or VisitMode.VIEW.value
        return self

    def wish(self) -> Wish:
        return Wish(
            reason=self.reason.data or "",
            ticket=self.ticket.data or "",
            minutes=self.minutes.data,
            acts=self.mode.data == VisitMode.ACT,
            as_user_id=self.as_user.data,
        )
