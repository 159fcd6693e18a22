"""Recording and deleting a payment."""

from datetime import date

from wtforms import BooleanField, DateField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from portal.formatters import day, money
from portal.forms import Form
from portal.forms.allocation import AllocationForm
from portal.models import Payment, PaymentMethod

METHODS = [
    SelectChoice(PaymentMethod.CHECK.value, "Check"),
    SelectChoice(PaymentMethod.ACH.value, "ACH"),
    SelectChoice(PaymentMethod.CARD.value, "Card"),
    SelectChoice(PaymentMethod.WIRE.value, "Wire"),
    SelectChoice(PaymentMethod.CASH.value, "Cash"),
    SelectChoice(PaymentMethod.OTHER.value, "Other"),
]
LONGEST = Length(max=500, message="Use at most 500 characters.")


def _given(text: str | None) -> str:
    """What was sent; a form that lacks the field says nothing there."""
    return text or ""


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
    reference = StringField("Reference", [LONGEST], filters=[_given], description="Such as the check number.")
    note = TextAreaField("Note", [LONGEST], filters=[_given], description="Only for your own people.")
    pending = BooleanField("The money is still on its way")

    confirm_old_day = HiddenField("Paid on")
    confirm_repeat = HiddenField("The same money")

    asked_day: date | None = None
    repeated: Payment | None = None
    ask_for_amount = "Enter the amount you received."
    too_much = "more than was received"

    @property
    def old_day_confirmed(self) -> bool:
        """The box that names the day was ticked, and the day is still that one."""
        return bool(self.paid_on.data) and self.confirm_old_day.data == self.paid_on.data.isoformat()

    @property
    def repeat_confirmed(self) -> bool:
        """The box that names the earlier payment was ticked."""
        return self.repeated is not None and self.confirm_repeat.data == str(self.repeated.id)

    @property
    def day_to_confirm(self) -> date | None:
        """The day beside the box, while one is to be seen."""
        return self.paid_on.data if self.old_day_confirmed else self.asked_day

    @property
    def refuses_day(self) -> bool:
        return bool(self.paid_on.data and self.paid_on.errors) and self.day_to_confirm is None

    def ask_about_day(self, old: date, sentence: str) -> None:
        """A day more than a year ago is asked about once."""
        self.asked_day = old
        self.refuse("paid_on", f"{sentence} Tick the box below if that is right.")

    def asks_about(self, repeated: Payment | None) -> bool:
        """Whether a payment that says the same as this one is still to be asked about."""
        self.repeated = repeated
        if repeated is None or self.repeat_confirmed:
            return False
        same = f"{money(repeated.amount, repeated.currency)} paid on {day(repeated.paid_on)}"
        self.refuse(
            "confirm_repeat",
            f"{same} by this customer is recorded already. Tick the box if this is other money.",
        )
        return True


class DeletionForm(Form):
    """Why a payment is deleted."""

    reason = StringField(
        "Reason",
        [InputRequired("Say why the payment is deleted."), LONGEST],
        description="It stays with the payment, for you and your colleagues.",
    )
