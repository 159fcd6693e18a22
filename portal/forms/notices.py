"""Of what a person gets mails."""

from wtforms.fields.choices import SelectChoice

from portal.forms import Form
from portal.forms.settings import MultiCheckboxField
from portal.queries.notices import KINDS


class NoticesForm(Form):
    by_mail = MultiCheckboxField(
        "Send me a mail about",
        choices=[SelectChoice(kind.value, words) for kind, words in KINDS.items()],
        description="Notices stand in the portal in any case.",
    )
