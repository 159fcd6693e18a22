"""Uploading a file of payments."""

import secrets
from collections.abc import Sequence
from datetime import date

from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice

from portal.forms import Form
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


class RecordForm(Form):
    """The file that was looked at, sent back to be recorded, with a key of its own."""

    key = HiddenField()
    order = HiddenField()
    confirm_old_days = HiddenField()
    words = TextAreaField()

    def begin_anew(self) -> None:
        self.key.data = secrets.token_urlsafe(24)

    def confirms(self, old_days: Sequence[date]) -> bool:
        """The box that names the oldest day was ticked, and the file is still that one."""
        return bool(old_days) and self.confirm_old_days.data == old_days[0].isoformat()

    @property
    def has_key(self) -> bool:
        return 16 <= len(self.key.data or "") <= 64
