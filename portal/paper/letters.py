"""The letters that a PDF can draw: Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Georgian and Thai.

FiraGO has them (SIL Open Font License). What it has not, such as Chinese, Japanese and Korean ones and emoji, is spelled
in Latin letters, one by one and whatever the language, so that a name can be read; the paper says so.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from anyascii import anyascii

FAMILY = "FiraGO"
# Stands for a letter that can neither be drawn nor spelled.
MISSING = "\N{WHITE VERTICAL RECTANGLE}"
_STYLES = {"": "figo", "B": "figbo"}
_SPACES = dict.fromkeys(
    map(ord, "\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{HAIR SPACE}"), "\N{NO-BREAK SPACE}"
)

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_VARIANTS = frozenset(map(chr, range(0xFE00, 0xFE10)))


@contextmanager
def font_files() -> Iterator[dict[str, Path]]:
    """A file of the font for each style; they are there until the block ends."""
    import pymupdf_fonts

    with TemporaryDirectory(prefix="letters-") as folder:
        files = {style: Path(folder) / f"{name}.ttf" for style, name in _STYLES.items()}
        for style, file in files.items():
            file.write_bytes(pymupdf_fonts.myfont(_STYLES[style]))
        yield files


@dataclass(frozen=True)
class Drawable:
    """One line of text as it can be drawn; how many letters are `spelled` in others, or `missing` and stand as MISSING."""

    text: str
    spelled: int = 0
    missing: int = 0


def drawable(words: str) -> Drawable:
    """What shows nothing by itself is left out, and what turns the direction of writing, as a name must not do to others."""
    text, spelled, missing = [], 0, 0
    for letter in unicodedata.normalize("NFC", words.translate(_SPACES)):
        if letter.isspace() and ord(letter) not in _drawn():
            text.append(" ")
        elif (unicodedata.category(letter) in ("Cc", "Cf") and letter not in _JOINERS) or letter in _VARIANTS:
            continue
        elif ord(letter) in _drawn():
            text.append(letter)
        elif latin := anyascii(letter):
            text.append(latin)
            spelled += 1
        else:
            text.append(MISSING)
            missing += 1
    return Drawable("".join(text), spelled, missing)


def are_joined(text: str) -> bool:
    """Whether letters of it change with their neighbours, as Arabic and Indic ones do, or run from right to left."""
    return not text.isascii() and any(
        "\u0590" <= letter < "\u1100" or "\ufb1d" <= letter < "\uff00" for letter in text
    )


@cache
def _drawn() -> frozenset[int]:
    import pymupdf_fonts
    from fontTools.ttLib import TTFont

    found = [
        set(TTFont(BytesIO(pymupdf_fonts.myfont(name)), lazy=True).getBestCmap()) for name in _STYLES.values()
    ]
    return frozenset(set.intersection(*found))
