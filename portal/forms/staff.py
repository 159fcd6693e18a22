"""What support staff send: a new partner, why one is disabled, a new staff person."""

from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from portal.forms import Form
from portal.forms.people import LONGEST_NAME, EmailField
from portal.forms.settings import TIME_ZONES


def _owner() -> EmailField:
    return EmailField(
        "E-mail address of its owner",
        "Write the e-mail address of the owner: without one, nobody can log in.",
        description="Gets an invitation whose link works once, for 24 hours.",
        render_kw={"autocomplete": "off"},
    )


class PartnerForm(Form):
    name = StringField(
        "Name of the company",
        [InputRequired("Write the name of the company."), Length(max=LONGEST_NAME)],
        render_kw={"autocomplete": "off", "autofocus": True},
    )
    slug = StringField(
        "Short name in addresses",
        [InputRequired("Write a short word."), Length(max=60)],
        description="Lower-case letters, digits and hyphens, such as northwind-it. It stays.",
        render_kw={"autocomplete": "off"},
    )
    time_zone = SelectField("Time zone", choices=TIME_ZONES, default="UTC")
    currency = StringField(
        "Currency",
        [InputRequired("Write the three letters of a currency, such as USD.")],
        default="USD",
        description="Used where Autotask names none.",
        render_kw={"maxlength": 3, "autocomplete": "off"},
    )
    owner = _owner()


class OwnerForm(Form):
    owner = _owner()


class DisablingForm(Form):
    reason = StringField(
        "Why?",
        [InputRequired("Say why: the partner's people read it on the page that is shut."), Length(max=500)],
        description="The partner's people read this.",
    )


class StaffForm(Form):
    name = StringField("Name", [InputRequired("Write the person's name."), Length(max=LONGEST_NAME)])
    email = EmailField("E-mail address", "Write the e-mail address of the person to invite.")
    administrator = BooleanField("Looks after staff people too")
