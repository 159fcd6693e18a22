"""Rows that share what they have in common, so that half a million of them start and encode quickly.

A row is immutable. Instants are ISO text in UTC without zone ("2026-11-22T00:00:00"), money is Decimal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from sandbox.schema import Encoder, Entity


def _plain(value: Any) -> str:
    return "null" if value is None else str(value)


def _boolean(value: Any) -> str:
    return "null" if value is None else ("true" if value else "false")


def _text(value: Any) -> str:
    return "null" if value is None else quoted(value)


def _udf(value: Any) -> str:
    return json.dumps([{"name": name, "value": text} for name, text in value or ()])


def _instant(value: Any) -> str:
    return "null" if value is None else f'"{value}"'


def _instant_z(value: Any) -> str:
    return "null" if value is None else f'"{value}Z"'


_ENCODERS: dict[str, Encoder] = {"boolean": _boolean, "string": _text, "udf": _udf}


def encoder(kind: str, dates_z: bool) -> Encoder:
    """Turns a stored value of a field type into its JSON text."""
    if kind == "datetime":
        return _instant_z if dates_z else _instant
    return _ENCODERS.get(kind, _plain)


WIDE = 24


class Shape:
    """The fields of a group of rows: which each holds itself (id first), and what all share."""

    __slots__ = ("_templates", "common", "entity", "index", "names")

    def __init__(self, entity: Entity, names: Iterable[str], common: dict[str, Any] | None = None) -> None:
        self.entity = entity
        self.names = tuple(names)
        self.index = {name: at for at, name in enumerate(self.names)}
        common = common or {}
        self.common = {name: common.get(name) for name in entity.fields if name not in self.index}
        self._templates: dict[bool, tuple[str, tuple[Encoder, ...]]] = {}

    def template(self, dates_z: bool) -> tuple[str, tuple[Encoder, ...]]:
        """A %-template of the whole JSON object, and the encoders of the values that go into it."""
        known = self._templates.get(dates_z)
        if known is None:
            known = self._templates[dates_z] = self._build(dates_z)
        return known

    def _build(self, dates_z: bool) -> tuple[str, tuple[Encoder, ...]]:
        fields = self.entity.fields
        parts = [f"{quoted(name)}:%s" for name in self.names]
        for name, value in self.common.items():
            text = encoder(fields[name].type, dates_z)(value).replace("%", "%%")
            parts.append(f"{quoted(name)}:{text}")
        return "{" + ",".join(parts) + "}", tuple(encoder(fields[name].type, dates_z) for name in self.names)


class Row:
    """One record. `get` any field; `json` is the record as it goes over the wire."""

    __slots__ = ("_text", "shape", "values")

    def __init__(self, shape: Shape, values: tuple[Any, ...]) -> None:
        self.shape = shape
        self.values = values
        self._text: tuple[bool, str] | None = None

    @property
    def id(self) -> int:
        return int(self.values[0])

    def get(self, name: str) -> Any:
        at = self.shape.index.get(name)
        return self.values[at] if at is not None else self.shape.common.get(name)

    def json(self, dates_z: bool) -> str:
        """The whole record; a wide row remembers its text, a narrow one is quicker made than kept."""
        if self._text is not None and self._text[0] is dates_z:
            return self._text[1]
        template, encoders = self.shape.template(dates_z)
        text = template % tuple([encode(value) for encode, value in zip(encoders, self.values, strict=True)])
        if len(self.values) > WIDE:
            self._text = (dates_z, text)
        return text

    def json_of(self, names: Iterable[str], dates_z: bool) -> str:
        """Only the named fields, for includeFields."""
        fields = self.shape.entity.fields
        parts = [f"{quoted(name)}:{encoder(fields[name].type, dates_z)(self.get(name))}" for name in names]
        return "{" + ",".join(parts) + "}"

    def as_dict(self) -> dict[str, Any]:
        """All fields as stored."""
        return {name: self.get(name) for name in self.shape.entity.fields}

    def replaced(self, changes: dict[str, Any]) -> Row:
        """A new row with these fields changed."""
        return whole_row(self.shape.entity, {**self.as_dict(), **changes})


_WHOLE: dict[str, Shape] = {}


def whole_row(entity: Entity, values: dict[str, Any]) -> Row:
    """A row that holds every field of its entity itself; fields not given are null."""
    shape = _WHOLE.get(entity.name)
    if shape is None:
        shape = _WHOLE[entity.name] = Shape(entity, entity.fields)
    return Row(shape, tuple([values.get(name) for name in shape.names]))
