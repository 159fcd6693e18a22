"""Uploading a file of customers or invoices, and saying which of its columns is what."""

from collections.abc import Mapping, Sequence

from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectField
from wtforms.fields.choices import SelectChoice

from portal.forms import Form
from portal.forms.payment_upload import ORDERS
from portal.models import ImportFile, ImportKind
from portal.money import NUMBER_FORMATS
from portal.payments.written_days import Order
from portal.uploads import fields
from portal.uploads.choice import Choice
from portal.uploads.written import EXAMPLES

KINDS = [SelectChoice("customers", "Customers"), SelectChoice("invoices", "Invoices, with their lines")]
NUMBERS = [SelectChoice(name, f"Like {EXAMPLES[name]}") for name in NUMBER_FORMATS]
TAXES = [
    SelectChoice("without", "Amounts of lines are without tax"),
    SelectChoice("with", "Amounts of lines hold their tax"),
]
NO_COLUMN = SelectChoice("", "No column")
NO_MONEY = (
    "Choose the column with the total, or those with the amounts of lines (amount, or quantity and price)."
)
TWO_FIELDS = "This column is chosen for “{}” too."
SHOWN = 28


class UploadFileForm(Form):
    """The file, and what it holds."""

    kind = RadioField("What the file holds", choices=KINDS)
    file = FileField("CSV file", [FileRequired("Choose the file.")])


class ColumnsForm(Form):
    """One choice for each field of both kinds, of which a file has one, and how the file writes days and amounts."""

    order = SelectField(
        "How the file writes dates",
        choices=ORDERS,
        description="All dates are read in this one way; those like 2026-11-19 always are.",
    )
    numbers = SelectField(
        "How the file writes amounts",
        choices=NUMBERS,
        description="Currency signs, (1.00) and 1.00- are understood.",
    )
    taxes = SelectField(
        "Tax of lines", choices=TAXES, description="Where a total stands beside the lines, it says which."
    )

    def show(self, file: ImportFile, sample: Sequence[Sequence[str]]) -> None:
        """Offers the columns of this file, each with the first of its cells that says something."""
        self.kind = ImportKind(file.kind)
        columns = [
            SelectChoice(str(place), _with_a_cell(heading, place, sample))
            for place, heading in enumerate(file.headings)
        ]
        for name in {one for kind in ImportKind for one in fields.FIELDS[kind]}:
            if (field := fields.FIELDS[self.kind].get(name)) is None:
                del self[name]
                continue
            self[name].choices = [NO_COLUMN, *columns]
            self[name].label.text, self[name].description = field.label, field.help
        if not self.of_invoices:
            del self.order, self.numbers, self.taxes

    def choose(self, choice: Choice) -> None:
        for name in fields.FIELDS[self.kind]:
            self[name].data = str(choice.columns.get(name, ""))
        if self.of_invoices:
            self.order.data, self.numbers.data = choice.order.value, choice.numbers
            self.taxes.data = "with" if choice.with_tax else "without"

    @property
    def of_kind(self) -> list[SelectField]:
        return [self[name] for name in fields.FIELDS[self.kind]]

    @property
    def groups(self) -> list[tuple[str, list[SelectField]]]:
        """The fields as the page shows them, each group with its heading."""
        if not self.of_invoices:
            return [("The customer", self.of_kind)]
        of_lines = [self[name] for name in fields.INVOICE if name in fields.OF_LINES]
        rest = [field for field in self.of_kind if field not in of_lines]
        return [
            ("The invoice", rest),
            ("Its lines, where each row is one", [*of_lines, self.taxes]),
            ("Dates and amounts", [self.order, self.numbers]),
        ]

    @property
    def of_invoices(self) -> bool:
        return self.kind == ImportKind.INVOICES

    @property
    def choice(self) -> Choice:
        columns = {
            name: int(self[name].data)
            for name in fields.FIELDS[self.kind]
            if (self[name].data or "").isdigit()
        }
        if not self.of_invoices:
            return Choice(columns)
        return Choice(columns, Order(self.order.data), self.numbers.data, self.taxes.data == "with")

    def validate(self, extra_validators: Mapping[str, Sequence[object]] | None = None) -> bool:
        if not super().validate(extra_validators):
            return False
        found, chosen = self.choice, dict[int, str]()
        for name in fields.NEEDED[self.kind]:
            if not found.has(name):
                self[name].errors = ["Choose the column that holds it."]
        if self.kind == ImportKind.INVOICES and not (found.has("total") or found.has_lines):
            self["total"].errors = [NO_MONEY]
        for name, place in found.columns.items():
            if place in chosen:
                self[name].errors = [TWO_FIELDS.format(self[chosen[place]].label.text)]
            chosen.setdefault(place, name)
        return not any(field.errors for field in self.of_kind)


def _with_a_cell(heading: str, place: int, sample: Sequence[Sequence[str]]) -> str:
    cells = (cells[place].strip() for cells in sample if place < len(cells))
    first = next((cell for cell in cells if cell), "")
    return f"{heading[:SHOWN]} (like {first[:SHOWN]})" if first else heading[:SHOWN]


for _name, _field in [pair for kind in ImportKind for pair in fields.FIELDS[kind].items()]:
    setattr(ColumnsForm, _name, SelectField(_field.label, choices=[NO_COLUMN], description=_field.help))
