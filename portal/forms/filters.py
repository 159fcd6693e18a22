from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, DateField, HiddenField, RadioField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from portal.autotask.filters import SyncFilters
from portal.forms import Form

FIRST_YEAR, LAST_YEAR = 1980, 2100
LISTS = ("company_types", "classifications", "territories", "market_segments")
CONTACTS = [
    SelectChoice("all", "All contacts"),
    SelectChoice("billing", "Only those Autotask marks as billing contacts"),
    SelectChoice("field", "Only those whose user-defined field has a value"),
]


class MultiCheckboxField(SelectMultipleField):
    """Several choices as checkboxes, which work without script and on a phone."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _values(label: str) -> MultiCheckboxField:
    return MultiCheckboxField(label, coerce=int)


class FiltersForm(Form):
    """What comes in from Autotask. Nothing chosen means everything."""

    company_types = _values("Company types")
    classifications = _values("Classifications")
    territories = _values("Territories")
    market_segments = _values("Market segments")
    active_only = BooleanField("Only active customers")
    contacts = RadioField("Contacts", choices=CONTACTS, default="all")
    contact_field = StringField("User-defined field of contacts", [Optional(), Length(max=255)])
    contact_value = StringField("Its value", [Optional(), Length(max=255)])
    invoices_since = DateField("Invoices created since", [Optional()], render_kw={"type": "date"})
    skip_zero_totals = BooleanField("Leave out invoices with a total of zero")
    previewed = HiddenField()

    def offer(self, picklists: Mapping[str, Any], in_force: SyncFilters) -> None:
        """Fills in the partner's own choices; a value in force that Autotask no longer lists stays choosable."""
        for name in LISTS:
            field = self._fields[name]
            listed = {int(value): label for value, label in picklists.get(name, {}).items()}
            for value in getattr(in_force, name):
                listed.setdefault(value, f"{value} (no longer in Autotask)")
            field.choices = [SelectChoice(value, label) for value, label in listed.items()]

    def validate_invoices_since(self, field: DateField) -> None:
        """Days that every zone and Autotask can hold."""
        if field.data is not None and not FIRST_YEAR <= field.data.year <= LAST_YEAR:
            raise ValidationError(f"Choose a day between {FIRST_YEAR} and {LAST_YEAR}.")

    def show(self, chosen: SyncFilters) -> None:
        """Puts filters into the form."""
        self.process(None, data={**chosen.to_dict(), "invoices_since": chosen.invoices_since})

    def chosen(self) -> SyncFilters | None:
        """The filters of a valid form; None with the reason in the form."""
        stored = {name: self._fields[name].data for name in (*LISTS, "active_only", "skip_zero_totals")}
        by_field = self.contacts.data == "field"
        stored |= {
            "invoices_since": self.invoices_since.data,
            "contacts": self.contacts.data,
            "contact_field": self.contact_field.data or "" if by_field else "",
            "contact_value": self.contact_value.data or "" if by_field else "",
        }
        try:
            return SyncFilters.from_dict(stored)
        except ValueError as error:
            self.contact_field.errors = [*self.contact_field.errors, str(error)]
            return None
