"""Recording and deleting a payment."""

from flask_wtf import FlaskForm
from wtforms import DateField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from portal.forms.allocation import AllocationForm
from portal.models import PaymentMethod

METHODS = [
    SelectChoice(PaymentMethod.CHECK.value, "Check"),
    SelectChoice(PaymentMethod.ACH.value, "ACH"),
    SelectChoice(PaymentMethod.CARD.value, "Card"),
    SelectChoice(PaymentMethod.WIRE.value, "Wire"),
    SelectChoice(PaymentMethod.CASH.value, "Cash"),
    SelectChoice(PaymentMethod.OTHER.value, "Other"),
]
LONGEST = Length(max=500, message="Use at most 500 characters.")


class Day(DateField):
    """A date whose refusal says how to write one."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError("Enter the day the money was paid, such as 2026-11-19.") from error


class PaymentForm(AllocationForm):
    """Amount, how and when it was paid, and how it is spread over open invoices."""

    amount = StringField("Amount received", filters=[lambda text: (text or "").strip()])
    paid_on = Day("Paid on", [InputRequired("Enter the day the money was paid.")])
    method = SelectField("How it was paid", choices=METHODS, validate_choice=False)
    reference = StringField("Reference", [LONGEST], description="Such as the check number.")
    note = TextAreaField("Note", [LONGEST], description="Only for your own people.")

    ask_for_amount = "Enter the amount you received."


class DeletionForm(FlaskForm):
    """Why a payment is deleted."""

    reason = StringField(
        "Reason",
        [InputRequired("Say why the payment is deleted."), LONGEST],
        description="It stays with the payment, for you and your colleagues.",
    )
