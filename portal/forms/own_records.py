from decimal import Decimal
from typing import Any

from wtforms import DateField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from portal import formatters
from portal.forms import Form
from portal.money import AmountError, is_currency, parse_amount
from portal.own_records import NotAllowed

CURRENCY = r"[A-Z]{3}$"


def _trimmed(text: str | None) -> str:
    return (text or "").strip()


def known_currency(_: Any, field: Any) -> None:
    """Refuses three letters that no country uses as its money today."""
    if not is_currency(field.data or ""):
        raise ValidationError(
            f"There is no currency {field.data}. Use its three letters, such as USD or EUR."
        )


class AmountForm(Form):
    """A form with typed amounts, whose refusals stand beside the field that they are about."""

    def amount(self, name: str, currency: str, otherwise: Decimal | None = None) -> Decimal | None:
        """The amount in a field; None with the reason beside the field when it cannot be taken."""
        field = self._fields[name]
        if not field.data and otherwise is not None:
            return otherwise
        try:
            return parse_amount(field.data or "", currency, formatters.number_format())
        except AmountError as error:
            field.errors = [*field.errors, str(error)]
            return None

    def refuse(self, refusal: NotAllowed) -> None:
        """Says why beside the field, or above the form."""
        field: Any = self._fields.get(refusal.field)
        if field is None:
            self.form_errors.append(str(refusal))
        else:
            field.errors = [*field.errors, str(refusal)]


class ChangeForm(AmountForm):
    """Another amount or due date for an unpaid invoice."""

    amount_due = StringField(
        "Amount due, tax included", [InputRequired("Enter an amount.")], filters=[_trimmed]
    )
    due_on = DateField("Due on", [Optional()], render_kw={"type": "date"})

    def refuse(self, refusal: NotAllowed) -> None:
        super().refuse(NotAllowed(str(refusal), "amount_due" if refusal.field == "amount" else refusal.field))


class InvoiceForm(AmountForm):
    """An invoice of the portal's own."""

    customer_id = SelectField("Customer", coerce=int, validate_choice=True)
    number = StringField(
        "Number", [InputRequired("Give the invoice a number."), Length(max=100)], filters=[_trimmed]
    )
    issued_on = DateField(
        "Invoice date", [InputRequired("Choose the invoice date.")], render_kw={"type": "date"}
    )
    due_on = DateField("Due on", [Optional()], render_kw={"type": "date"})
    amount_due = StringField(
        "Amount due, tax included", [InputRequired("Enter an amount.")], filters=[_trimmed]
    )
    tax = StringField("Of which tax", [Optional()], filters=[_trimmed])
    comments = TextAreaField("Comments", [Length(max=4000)], filters=[_trimmed])


class CustomerForm(AmountForm):
    """A customer of the portal's own."""

    name = StringField(
        "Name", [InputRequired("Give the customer a name."), Length(max=100)], filters=[_trimmed]
    )
    number = StringField("Number", [Length(max=50)], filters=[_trimmed])
    currency = StringField(
        "Currency",
        [
            InputRequired("Enter a currency."),
            Regexp(CURRENCY, message="Use three letters, such as USD."),
            known_currency,
        ],
        filters=[lambda text: _trimmed(text).upper()],
        render_kw={"maxlength": "3"},
    )
    phone = StringField("Phone", [Length(max=25)], filters=[_trimmed])
    address = TextAreaField("Address", [Length(max=500)], filters=[_trimmed])
