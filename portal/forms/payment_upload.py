"""Uploading a file of payments."""

import secrets

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, TextAreaField


class UploadForm(FlaskForm):
    """The file to look at."""

    file = FileField("CSV file", [FileRequired("Choose the file with the payments.")])


class RecordForm(FlaskForm):
    """The file that was looked at, sent back to be recorded, with a key of its own."""

    key = HiddenField()
    words = TextAreaField()

    def begin_anew(self) -> None:
        self.key.data = secrets.token_urlsafe(24)

    @property
    def has_key(self) -> bool:
        return 16 <= len(self.key.data or "") <= 64
