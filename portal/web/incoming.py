"""The one place where what browsers and programs send becomes our values: text is text, and ids are ids."""

import json
from json import JSONDecodeError
from typing import Any

import flask
from flask import Flask
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.routing import IntegerConverter, UnicodeConverter, ValidationError
from werkzeug.utils import cached_property

from portal import plain_text
from portal.plain_text import cleaned

TAKES_FILES, LARGEST_FILE = "uploads.create", 41 * 1024 * 1024
NOT_TEXT = "A text in the body holds a character that is no text, such as a NUL or half of a surrogate pair"


class RepeatedName(ValueError):
    """An object of the body names something twice, so that nobody knows which is meant; str() is the name."""


class ReadOnce:
    """Reads JSON."""

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """Raises RepeatedName and JSONDecodeError."""
        return json.loads(text, object_pairs_hook=_named_once)


class Request(flask.Request):
    """A request whose address, form and JSON hold nothing but text."""

    @cached_property
    def args(self) -> MultiDict[str, str]:
        return _cleaned(super().args)

    @cached_property
    def form(self) -> ImmutableMultiDict[str, str]:
        return _cleaned(super().form)

    def get_json(self, *arguments: Any, **named: Any) -> Any:
        """Raises BadRequest for what is cut short, is no JSON, is nested without end, or holds what is no text."""
        if len(self.get_data()) < (self.content_length or 0):
            raise BadRequest("The body ended before all of it had come. Nothing was changed.")
        self.json_module = ReadOnce  # in place of the app's, which each request is given
        try:
            value = super().get_json(*arguments, **named)
        except RecursionError:
            raise BadRequest("The body is nested too deep.") from None
        pointer = plain_text.first_misfit(value)
        if pointer is not None:
            raise BadRequest(f"{NOT_TEXT}: {cleaned(pointer)[:100] or 'the body itself'}.")
        return plain_text.composed(value)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Raises BadRequest that says where it fails, or UnsupportedMediaType."""
        if isinstance(e, JSONDecodeError):
            raise BadRequest(f"The body is no JSON: it cannot be read from character {e.pos + 1} on.") from e
        if isinstance(e, RepeatedName):
            raise BadRequest(
                f"An object in the body names “{cleaned(str(e))[:60]}” twice. Send it once."
            ) from e
        if e is not None:
            raise BadRequest(
                "The body is no JSON: it is no UTF-8, or holds a number that is too long."
            ) from e
        return super().on_json_loading_failed(e)


class Id(IntegerConverter):
    """An id that the database can hold; a longer number is an unknown address, whatever is to be done there."""

    regex = "[0-9]{1,18}"


class Text(UnicodeConverter):
    """A part of a path that is text; anything else is an unknown address."""

    def to_python(self, value: str) -> str:
        if not plain_text.is_text(value):
            raise ValidationError
        return value


def register(app: Flask) -> None:
    """Before any route: the converters of `<int:…>` and `<…>`, and the class of requests."""
    app.request_class = Request
    app.url_map.converters |= {"int": Id, "string": Text, "default": Text}


def let_large_files_in() -> None:
    """More for the one form that takes large files, from who is inside; what is large lies on the disk, not in memory."""
    if flask.request.endpoint == TAKES_FILES and flask.g.get("partner") is not None:
        flask.request.max_content_length = LARGEST_FILE


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedName(next(name for name in names if names.count(name) > 1))
    return found


def _cleaned(values: Any) -> ImmutableMultiDict[str, str]:
    return ImmutableMultiDict([(cleaned(name), cleaned(value)) for name, value in values.items(multi=True)])
