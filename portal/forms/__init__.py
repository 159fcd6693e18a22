"""What browsers send us: one file per noun."""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField, TextAreaField
from wtforms.validators import InputRequired, ValidationError

from portal import plain_text
from portal.access import form_tokens

OPEN_TOO_LONG = "This form was open too long: somebody logged in or out in this browser since it was opened. Nothing was saved. "
STILL_HERE = "What you typed is still here; look it over and send it again."
ALMOST_STILL_HERE = "What you typed is still here, but not the password: type it once more."
TICKS_STILL_HERE = OPEN_TOO_LONG + "What you ticked is still ticked; look it over and press the button again."
CHOOSE_THE_FILE_AGAIN = "Choose the file once more: a browser does not keep it. The rest is as you left it."
NO_TEXT = "There is a character here that is no text. Type it again instead of pasting it."


class Form(FlaskForm):
    """A form that is invalid while its token is refused, or a field of it holds what is no text.

    What is typed into one line is one line without spaces around it; a password stays as it was typed.
    """

    def process(self, *arguments: Any, extra_filters: Any = None, **named: Any) -> None:
        tidy = {name: [tidied] for name, field in self._fields.items() if (tidied := _tidying(field))}
        super().process(*arguments, extra_filters=_together(tidy, extra_filters), **named)

    def validate(self, extra_validators: Any = None) -> bool:
        if form_tokens.refused():
            self.form_errors.append(OPEN_TOO_LONG + _still_here({field.type for field in self}))
            return False
        texts = {
            name: [_filled, _text_only]
            for name, field in self._fields.items()
            if isinstance(field, StringField)
        }
        return bool(super().validate(_together(texts, extra_validators)))


def _still_here(kinds: Set[str]) -> str:
    """What of a form with these kinds of fields was kept."""
    if "FileField" in kinds:
        return CHOOSE_THE_FILE_AGAIN
    return ALMOST_STILL_HERE if "PasswordField" in kinds else STILL_HERE


def _tidying(field: Any) -> Callable[[str | None], str | None] | None:
    if not isinstance(field, StringField) or isinstance(field, (PasswordField, HiddenField)):
        return None
    return _trimmed if isinstance(field, TextAreaField) else _one_line


def _trimmed(text: str | None) -> str | None:
    return text.strip() if isinstance(text, str) else text


def _one_line(text: str | None) -> str | None:
    return re.sub(r"[\t\r\n]+", " ", text).strip() if isinstance(text, str) else text


def _filled(_: Any, field: Any) -> None:
    """InputRequired looks at what was sent; of blanks nothing is left."""
    for rule in field.validators:
        if isinstance(rule, InputRequired) and not field.data:
            raise ValidationError(rule.message)


def _text_only(_: Any, field: Any) -> None:
    if not plain_text.is_text(field.data or ""):
        raise ValidationError(NO_TEXT)


def _together(
    ours: Mapping[str, Sequence[Any]], theirs: Mapping[str, Sequence[Any]] | None
) -> dict[str, Sequence[Any]]:
    given = theirs or {}
    return {name: [*ours.get(name, ()), *given.get(name, ())] for name in {*ours, *given}}
