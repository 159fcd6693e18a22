"""JSON from and to Autotask: decimals stay exact, and one odd number spoils its row, not its page."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

# 2^63 has 19 digits; the interpreter refuses to read integers of more than 4,300.
_LONGEST_INT = 20


class BadJson(ValueError):
    """Not JSON, or cut off."""


class TooDeep(BadJson):
    """Nested deeper than any answer of Autotask."""


def _decimal(digits: str) -> Decimal | str:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent beyond all bounds
        return digits


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INT else digits


# Hands each fraction over as its text, so no float is ever made. What it refuses is read by the standard library.
_FAST = msgspec.json.Decoder(float_hook=Decimal)
# NaN and Infinity become text, which no reader of numbers takes: the row that carries one is put aside.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=str)
_CAREFUL = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=str)


def loads(body: bytes) -> Any:
    """Parsed `body`: UTF-8, with or without BOM, or UTF-16/32. Broken characters become U+FFFD.

    Raises BadJson, or TooDeep.
    """
    try:
        return _FAST.decode(body)
    except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError):
        return _slowly(body)


def _slowly(body: bytes) -> Any:
    """All that the standard library takes, and odd numbers as text."""
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return _decoded(text)
    except json.JSONDecodeError as error:
        raise BadJson(error.msg) from None
    except RecursionError:
        raise TooDeep("nested too deep") from None


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, InvalidOperation):
        return _CAREFUL.decode(text)


def dumps(value: Any) -> bytes:
    """`value` as JSON with exact decimals; dates are written at midnight of UTC, instants in UTC.

    Raises TypeError for floats (money is Decimal) and ValueError for numbers that are not finite.
    """
    return _written(value).encode()


def _written(value: Any) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, date):
        return json.dumps(moment(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_written, value)) + "]"
    raise TypeError(f"{type(value).__name__} cannot be sent to Autotask")


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("only finite numbers can be sent to Autotask")
    return format(value, "f") if value else "0"


def moment(value: date | datetime) -> str:
    """A day as "2026-11-22T00:00:00Z", an instant with ms and Z.

    Autotask keeps days at midnight, unzoned, and its schema asks for an offset: with UTC's both readings hold.
    """
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00Z"
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_offset(text: str | None) -> str | None:
    """A moment as Autotask sent it, to be sent back: one without an offset is UTC."""
    return f"{text}Z" if text and re.fullmatch(r"[0-9-]{10}T[0-9:.]+", text) else text
