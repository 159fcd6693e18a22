"""An amount spread over open invoices: the part that payments and credits share."""

import re
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wtforms import HiddenField, StringField

from portal import formatters
from portal.forms import Form
from portal.forms.open_rows import Row, Table, fill
from portal.money import ZERO, AmountError, parse_amount

OF_ROW = re.compile(r"pay-[0-9]{1,18}")
PLUMBING = ("key", "csrf_token", "by_hand", "say_which")

TOO_MANY = "This would pay more invoices than one payment can. Record it in parts."
SAY_WHICH = "Type beside each invoice what goes to it. Nothing was recorded."


class AllocationForm(Form):
    """A key of its own, an amount, and what of it goes to each open invoice."""

    key = HiddenField()
    by_hand = HiddenField()
    say_which = HiddenField()
    amount = StringField("Amount", filters=[lambda text: (text or "").strip()])

    table: Table
    beyond: Sequence[Row] = ()
    sent: Mapping[str, str] = {}
    allocation_error = ""
    received: Decimal | None = None
    ask_for_amount = "Enter the amount."
    too_much = "more than the amount"

    def take_rows(self, table: Table, typed: Mapping[str, str]) -> None:
        """Puts what was typed beside each invoice."""
        self.table = table
        self.sent = {
            name: text.strip() for name, text in typed.items() if OF_ROW.fullmatch(name) and text.strip()
        }
        for row in self.rows:
            row.typed = self.sent.get(row.name, "")

    @property
    def rows(self) -> Sequence[Row]:
        return self.table.rows

    @property
    def lost_ids(self) -> list[int]:
        """Invoices that an amount was typed for and that are not among the rows any more."""
        rows = {row.name for row in self.rows}
        return [int(name[4:]) for name, text in self.sent.items() if name not in rows and text.strip("0., ")]

    def allocate(self, currency: str) -> list[tuple[int, Decimal]] | None:
        """(invoice id, amount) pairs, oldest first where none were typed; None with errors set."""
        self.received = received = self._received(currency)
        self._read_rows(currency)
        self._check_owed(received, currency)
        if received is None or self.errors or self.allocation_error or any(row.error for row in self.rows):
            return None
        if not any(row.amount for row in self.rows) and self.say_which.data:
            self.allocation_error = SAY_WHICH
        elif not any(row.amount for row in self.rows):
            self._spread(received, currency)
        else:
            self._check_sum(received, currency)
        if self.errors or self.allocation_error:
            return None
        return [(row.invoice.id, row.amount) for row in (*self.rows, *self.beyond) if row.amount]

    def refuse(self, field_name: str, sentence: str) -> None:
        """Puts a refusal beside the field it is about."""
        field: Any = self._fields.get(field_name)
        if field is None:
            self.allocation_error = sentence
        else:
            field.errors = [*field.errors, sentence]

    def begin_anew(self, sentence: str = "") -> None:
        """A key of its own for each form: sending one twice records one payment."""
        self.key.data = secrets.token_urlsafe(24)
        self.allocation_error = sentence

    def ask_which(self, why: str) -> None:
        """Refuses, and from now on takes no amount that is not said to go to an invoice."""
        self.allocation_error, self.say_which.data = why, "yes" if why else self.say_which.data

    @property
    def refuses_day(self) -> bool:
        """The day that was typed is none that money can have been paid on."""
        return False

    @property
    def has_key(self) -> bool:
        return 16 <= len(self.key.data or "") <= 64

    @property
    def typed(self) -> dict[str, str]:
        """What was sent, as it was typed: sending the same again asks for nothing new."""
        fields = {name: str(field.data or "") for name, field in self._fields.items() if name not in PLUMBING}
        return {**fields, **self.sent}

    @property
    def total(self) -> Decimal:
        """What the rows take."""
        return sum((row.amount for row in self.rows), ZERO)

    @property
    def further(self) -> Decimal:
        """What goes to open invoices that have no row here."""
        return sum((row.amount for row in self.beyond), ZERO)

    @property
    def left(self) -> Decimal:
        """What of the amount no invoice has got; negative when they take more than it."""
        taken = self.total + self.further
        return ZERO if self.received is None or not taken else self.received - taken

    @property
    def goes_on(self) -> bool:
        """Whether what the rows leave goes to the oldest of the invoices without one."""
        by_hand = set((self.by_hand.data or "").split())
        free = (row for row in self.rows if row.name not in by_hand)
        return self.table.is_cut and not self.say_which.data and all(row.is_full for row in free)

    @property
    def over(self) -> Decimal:
        """How much more the invoices take than there is."""
        return max(-self.left, ZERO)

    def _received(self, currency: str) -> Decimal | None:
        if not self.amount.data:
            self.refuse("amount", self.ask_for_amount)
            return None
        try:
            received = parse_amount(self.amount.data, currency, formatters.number_format())
        except AmountError as error:
            self.refuse("amount", str(error))
            return None
        if received <= 0:
            self.refuse("amount", "The amount must be more than zero.")
        return received

    def _read_rows(self, currency: str) -> None:
        for row in self.rows:
            try:
                row.amount = (
                    parse_amount(row.typed, currency, formatters.number_format()) if row.typed else ZERO
                )
            except AmountError as error:
                row.error = str(error)
            if row.amount < 0:
                row.amount, row.error = ZERO, "The amount must be more than zero."
            elif row.amount > row.invoice.outstanding:
                row.error = f"Only {formatters.amount(row.invoice.outstanding, currency)} is still owed here."

    def _check_owed(self, received: Decimal | None, currency: str) -> None:
        if received is not None and received > self.table.owed:
            amount = formatters.money(self.table.owed, currency)
            self.refuse("amount", f"This is more than the {amount} still owed on open invoices.")

    def _spread(self, received: Decimal, currency: str) -> None:
        left = fill(self.rows, received, currency)
        if left:
            self._go_on(left, currency)

    def _go_on(self, left: Decimal, currency: str) -> None:
        """Oldest first, over the invoices that have no row."""
        self.beyond = self.table.next_ones()
        if fill(self.beyond, left, currency):
            self.allocation_error = TOO_MANY

    def _check_sum(self, received: Decimal, currency: str) -> None:
        amount = formatters.money(received, currency)
        if self.left > 0 and self.goes_on:
            self._go_on(self.left, currency)
        elif self.left > 0:
            self.allocation_error = (
                f"{formatters.amount(self.left, currency)} of the {amount} is not allocated. Add it to an invoice, or "
                "correct the amount above."
            )
        elif self.left < 0:
            self.allocation_error = (
                f"The invoices take {formatters.amount(-self.left, currency)} more than the {amount} above. Make them "
                "equal, or empty the amounts beside the invoices to pay the oldest first."
            )
