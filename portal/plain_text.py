"""What counts as text. What comes in and is none becomes a mark that forms and the API refuse."""

import unicodedata
from typing import Any

# What Python itself puts in place of bytes that are no UTF-8.
MARK = "\ufffd"
LINE_SIGNS = "\t\n\r"


def cleaned(text: str) -> str:
    """Composed (NFC), with a mark for each control, lone surrogate and noncharacter. Line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", "".join(sign if _is_text(sign) else MARK for sign in text))


def is_text(text: str) -> bool:
    return MARK not in text and all(_is_text(sign) for sign in text)


def first_misfit(value: Any) -> str | None:
    """A JSON pointer to the first string of a JSON value that is no text, or None. Property names count."""
    waiting = [("", value)]
    while waiting:
        pointer, one = waiting.pop()
        if isinstance(one, str) and not is_text(one):
            return pointer
        if isinstance(one, dict):
            if not all(is_text(name) for name in one):
                return pointer
            waiting += [(f"{pointer}/{name}", inner) for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(f"{pointer}/{place}", inner) for place, inner in enumerate(one)]
    return None


def composed(value: Any) -> Any:
    """A JSON value with every string in it composed (NFC)."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {composed(name): composed(inner) for name, inner in value.items()}
    return [composed(inner) for inner in value] if isinstance(value, list) else value


def _is_text(sign: str) -> bool:
    if sign in LINE_SIGNS or sign.isprintable():
        return True
    return unicodedata.category(sign) not in ("Cc", "Cs") and ord(sign) & 0xFFFE != 0xFFFE
