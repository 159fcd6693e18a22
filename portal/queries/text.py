"""What people type into addresses and forms: search words, made safe for LIKE, and ids."""

from collections.abc import Sequence
from datetime import date

from werkzeug.exceptions import UnprocessableEntity

LONGEST = 100


def cleaned(words: str | None) -> str:
    """What a person typed into a search box: trimmed, without control characters, at most 100 characters."""
    return "".join(sign for sign in (words or "") if sign.isprintable()).strip()[:LONGEST]


def number(text: str | None) -> int | None:
    """An id of an address; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def day(text: str | None) -> date | None:
    """A day of an address, from 1990 to 2100; None for anything else."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2100 else None


def numbers(texts: Sequence[str], most: int) -> list[int]:
    """The ids among these texts. Raises UnprocessableEntity for more texts than are taken at once."""
    if len(texts) > most:
        raise UnprocessableEntity(
            f"{len(texts):,} were chosen, and at most {most:,} are taken at once. Nothing was changed: choose fewer."
        )
    return [found for text in texts if (found := number(text)) is not None]


def containing(words: str) -> str:
    """An ILIKE pattern for text that contains these words, wildcards taken literally."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
