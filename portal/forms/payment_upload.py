"""Uploading a file of payments, or of what became of them."""

import secrets
from collections.abc import Sequence
from datetime import date
from typing import Self

from flask import g
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice

from portal.forms import Form
from portal.payments import upload_file, written_days
from portal.payments.written_days import Order

ORDERS = [SelectChoice(order.value, f"{order.words.capitalize()}, like {order.example}") for order in Order]


class UploadForm(Form):
    """The file to look at."""

    file = FileField("CSV file", [FileRequired("Choose the file with the payments.")])
    order = SelectField(
        "How the file writes dates",
        choices=ORDERS,
        description="All dates of the file are read in this one way. Dates like 2026-11-19 are always understood.",
    )

    @classmethod
    def empty(cls) -> Self:
        """Nothing chosen yet, and dates as people of this partner write them."""
        usual = written_days.usual(g.partner.time_zone, g.partner.default_currency)
        return cls(formdata=None, order=usual.value)

    def read(self) -> tuple[str, Order]:
        """The file's text, and how it writes dates. Raises UnreadableFile."""
        return upload_file.decoded(self.file.data.read(upload_file.MOST_BYTES + 1)), Order(self.order.data)


class RecordForm(Form):
    """The file that was looked at, sent back to be recorded, with a key of its own."""

    key = HiddenField()
    order = HiddenField()
    confirm_old_days = HiddenField()
    words = TextAreaField()

    @classmethod
    def of(cls, words: str, order: Order) -> Self:
        form = cls(formdata=None, words=words, order=order.value)
        form.key.data = secrets.token_urlsafe(24)
        return form

    def read(self) -> tuple[str, Order]:
        """The file's text as it was sent back, and how it writes dates."""
        return self.words.data or "", Order(
            self.order.data if self.order.data in set(Order) else Order.YEAR_FIRST
        )

    def confirms(self, old_days: Sequence[date]) -> bool:
        """The box that names the oldest day was ticked, and the file is still that one."""
        return bool(old_days) and self.confirm_old_days.data == old_days[0].isoformat()

    @property
    def has_key(self) -> bool:
        return 16 <= len(self.key.data or "") <= 64
