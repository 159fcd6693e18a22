"""A cell of a CSV file: text that a spreadsheet does not take for a formula."""

from datetime import date
from decimal import Decimal
from enum import Enum

from portal.formatters import iso

FORMULA_STARTS = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\uff0d\N{FULLWIDTH COMMERCIAL AT}"
)
# What spreadsheets drop before they look for a formula, or show nothing of: spaces, line ends, signs without width.
TRIMMED = (
    " \v\f\x85\N{NO-BREAK SPACE}\u2028\u2029\u200b\u200c\u200d\u200e\u200f\u2060\N{ZERO WIDTH NO-BREAK SPACE}"
)


def csv_text(value: object) -> str:
    """A CSV cell; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, (int, Decimal, date)):
        return iso(value) if isinstance(value, date) else str(value)
    text = str(value.value) if isinstance(value, Enum) else str(value)
    return f"'{text}" if text.lstrip(TRIMMED).startswith(FORMULA_STARTS) else text
