"""Cells as other programs write them: amounts, days, yes and no. Text stays text, whatever it begins with."""

import re
from datetime import date
from decimal import Decimal

from portal import money
from portal.money import NUMBER_FORMATS, AmountError
from portal.payments import written_days
from portal.payments.written_days import Order

LONGEST_AMOUNT = 40
# Blanks, apostrophes and signs of currencies that may stand beside or within the digits.
BLANKS = re.compile(r"[\s\u00a0\u2007\u2009\u202f'\u2019]+")
CURRENCY = re.compile(
    r"^[A-Z]{3}(?=[\d(.,+-])|(?<=[\d).,-])[A-Z]{3}$|[$€£¥₹₽₩₪₺₴₫฿¢]|^(?:kr|R|zł|Fr)\.?|(?:kr|zł|Fr)\.?$"
)
MIDNIGHT = re.compile(r"[ T]0?0:00(?::00(?:\.0+)?)?(?:Z| ?AM)?$|[ ]12:00(?::00)? ?AM$", re.IGNORECASE)
YES, NO = {"yes", "y", "true", "1", "x", "active"}, {"no", "n", "false", "0", "", "inactive", "not-active"}
MINUSES = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-"})
EXAMPLES = {"comma_point": "1,234.50", "point_comma": "1.234,50", "space_comma": "1 234,50"}


def amount(words: str, numbers: str) -> Decimal:
    """The number of a cell, to six decimals: `(1,234.50)` and `1,234.50-` are below zero. Raises AmountError."""
    text = BLANKS.sub("", words[: LONGEST_AMOUNT + 1].translate(MINUSES))
    below = False
    if text.startswith("(") and text.endswith(")"):
        below, text = True, text[1:-1]
    text = CURRENCY.sub("", text)
    if text.startswith("-") or text.endswith("-"):
        below, text = not below, text.removeprefix("-") if text.startswith("-") else text.removesuffix("-")
    text = CURRENCY.sub("", text).removeprefix("+")
    if text.startswith("(") and text.endswith(")") and not below:
        below, text = True, text[1:-1]
    return (-1 if below else 1) * _digits(words, text, numbers)


def _digits(words: str, text: str, numbers: str) -> Decimal:
    style = NUMBER_FORMATS[numbers]
    group = "" if style.group.isspace() else re.escape(style.group)
    pattern = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{re.escape(style.point)}[0-9]*)?|{re.escape(style.point)}[0-9]+"
    if len(words) > LONGEST_AMOUNT or not re.fullmatch(pattern, text):
        raise AmountError(
            f"“{words[:LONGEST_AMOUNT]}” is no amount written like {EXAMPLES[numbers]}. If the file writes amounts in "
            "another way, choose that beside the columns."
        )
    whole = text.replace(style.group, "") if group else text
    found = Decimal(whole.replace(style.point, ".").rstrip(".") or "0")
    try:
        return money.storable(found)
    except AmountError:
        raise AmountError(
            f"“{words[:LONGEST_AMOUNT]}” is larger than can be stored, or has more than six decimals."
        ) from None


def day(words: str, order: Order) -> date | None:
    """The day of a cell, with midnight after it or not; None for anything else."""
    return written_days.read(without_midnight(words), order)


def without_midnight(words: str) -> str:
    return MIDNIGHT.sub("", words)


def flag(words: str) -> bool | None:
    """Yes or no; None for any other word."""
    word = words.strip().lower()
    return True if word in YES else False if word in NO else None
