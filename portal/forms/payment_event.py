"""What became of a payment: its money arrived, failed, was refunded or charged back."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wtforms import HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, ValidationError

from portal import formatters
from portal.forms import Form
from portal.forms.payment import LONGEST, Day
from portal.models import Allocation, Happened
from portal.money import AmountError, parse_amount

WORDS = {
    Happened.SETTLED: "The money has arrived",
    Happened.FAILED: "The payment failed: the money did not come, or was taken back by the bank",
    Happened.REFUNDED: "Refunded: you gave it back",
    Happened.CHARGED_BACK: "Charged back: the customer had it taken back",
}
LONGEST_KEY = 64
PART = "part-"


@dataclass
class Row:
    """One invoice of the payment: what of the money that came back had paid it."""

    allocation: Allocation
    typed: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        return f"{PART}{self.allocation.invoice_id}"


class PaymentEventForm(Form):
    """`key` is the form's own: sending it twice records it once."""

    key = HiddenField()
    kind = RadioField("What happened", [InputRequired("Choose what happened.")], validate_choice=False)
    on = Day("On", [InputRequired("Enter the day it happened.")])
    amount = StringField("Amount that came back", description="Leave it empty if all of it came back.")
    reason = StringField(
        "Reason", [LONGEST], description="Such as the bank's code. It stays with the payment."
    )

    rows: Sequence[Row] = ()
    sent: Mapping[str, str] = {}
    allocation_error = ""

    def offer(self, kinds: Sequence[Happened], rows: Sequence[Row], typed: Mapping[str, str]) -> None:
        """What can be chosen, and what was typed beside each invoice."""
        self.kind.choices = [SelectChoice(kind.value, WORDS[kind]) for kind in kinds]
        self.rows = rows if len(rows) > 1 and Happened.REFUNDED in kinds else ()
        self.sent = {name: text.strip()[:60] for name, text in typed.items() if name.startswith(PART)}
        for row in self.rows:
            row.typed = self.sent.get(row.name, "")

    @property
    def takes_amount(self) -> bool:
        """Part of it can come back."""
        return any(choice.value == Happened.REFUNDED for choice in self.kind.choices or [])

    def validate_kind(self, field: RadioField) -> None:
        if field.data not in {choice.value for choice in field.choices or []}:
            raise ValidationError("Choose what happened.")

    def begin_anew(self, sentence: str = "") -> None:
        self.key.data, self.allocation_error = secrets.token_urlsafe(24), sentence

    @property
    def has_key(self) -> bool:
        return 16 <= len(self.key.data or "") <= LONGEST_KEY

    @property
    def typed(self) -> dict[str, str]:
        """All that was sent, whatever of it is offered by now."""
        fields = {name: str(self[name].data or "") for name in ("kind", "on", "amount", "reason")}
        return fields | dict(self.sent)

    def money(self, currency: str) -> tuple[Decimal | None, list[tuple[int, Decimal]]] | None:
        """The amount, and (invoice id, amount) pairs where they were typed; None with errors set."""
        amount, parts = None, []
        try:
            amount = self._read(self.amount.data, currency) if self.takes_amount else None
        except AmountError as error:
            self.amount.errors = [*self.amount.errors, str(error)]
        for row in self.rows:
            try:
                part = self._read(row.typed, currency)
            except AmountError as error:
                row.error = str(error)
            else:
                parts += [(row.allocation.invoice_id, part)] if part else []
        return None if self.amount.errors or any(row.error for row in self.rows) else (amount, parts)

    def refuse(self, field_name: str, sentence: str) -> None:
        """Puts a refusal beside the field it is about."""
        field: Any = self._fields.get(field_name)
        if field is None:
            self.allocation_error = sentence
        else:
            field.errors = [*field.errors, sentence]

    def _read(self, text: str | None, currency: str) -> Decimal | None:
        return parse_amount(text, currency, formatters.number_format()) if text and text.strip() else None
