"""Reading a JSON object field by field: every fault names its field, and all are told at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from portal.money import AmountError, storable


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field, as a JSON pointer and a sentence."""

    pointer: str
    detail: str


class BadBody(ValueError):
    """The body cannot be taken; `faults` name each field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("The body has fields that cannot be accepted.")
        self.faults = list(faults)


@dataclass
class Fields:
    """The fields of one JSON object at `pointer`. A reader answers with an empty value where it notes a fault."""

    sent: Any
    known: Collection[str]
    pointer: str = ""
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.sent, dict):
            self.faults.append(Fault(self.pointer, "Send a JSON object."))
            self.sent = {}
        for name in self.sent:
            if name not in self.known:
                self.wrong(name, "There is no such field.")

    def wrong(self, name: str, sentence: str) -> None:
        self.faults.append(Fault(f"{self.pointer}/{name}", sentence))

    def text(self, name: str, most: int = 500, least: int = 0) -> str:
        value = self.sent.get(name, "")
        if (
            isinstance(value, str)
            and least <= len(value.strip())
            and len(value) <= most
            and "\0" not in value
        ):
            return value
        self.wrong(name, f"Send text of {least} to {most} characters." if least else _AT_MOST.format(most))
        return ""

    def day(self, name: str, sentence: str, *, needed: bool = True) -> date | None:
        value = self.sent.get(name)
        if value is None and not needed:
            return None
        try:
            if isinstance(value, str) and len(value) == 10:
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.wrong(name, sentence)
        return None

    def flag(self, name: str, usual: bool = False) -> bool:
        value = self.sent.get(name, usual)
        if not isinstance(value, bool):
            self.wrong(name, "Send true or false.")
            return usual
        return value

    def choice(self, name: str, words: type[StrEnum], usual: str) -> str:
        value = self.sent.get(name, usual)
        if isinstance(value, str) and value in set(words):
            return value
        self.wrong(name, f"Send one of {', '.join(words)}.")
        return usual

    def number(self, name: str, usual: Decimal | None = None) -> Decimal | None:
        """Digits in a string, up to money.LARGEST and with at most six decimals; `usual` where the field is lacking."""
        value = self.sent.get(name)
        if value is None and usual is not None:
            return usual
        found = plain_number(value.removeprefix("-")) if isinstance(value, str) else None
        try:
            if found is not None:
                return storable(found.copy_negate() if value.startswith("-") else found)
        except AmountError:
            pass
        self.wrong(name, "Send digits as a string, like “1234.50”, with at most six decimals.")
        return None

    def several(self, name: str, most: int, what: str) -> list[Any]:
        value = self.sent.get(name)
        if isinstance(value, list) and 0 < len(value) <= most:
            return value
        self.wrong(name, f"Send a list of 1 to {most} {what}.")
        return []


_AT_MOST = "Send text of at most {} characters."


def plain_number(words: str) -> Decimal | None:
    """`1234.50` as a Decimal; None for anything else a JSON string may hold."""
    whole, dot, decimals = words.partition(".")
    digits = whole + decimals
    fine = (
        len(words) <= 20 and whole and digits.isascii() and digits.isdigit() and bool(dot) == bool(decimals)
    )
    return Decimal(words) if fine else None
