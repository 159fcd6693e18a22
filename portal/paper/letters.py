"""The letters that a PDF can draw: Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Georgian and Thai.

FiraGO has them (SIL Open Font License); Chinese, Japanese, Korean and others are not among them.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

FAMILY = "FiraGO"
# Stands for a letter that cannot be drawn.
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


def drawable(words: str) -> tuple[str, int]:
    """One line of text as it can be drawn, and how many letters of it cannot and stand as MISSING.

    What shows nothing by itself is left out, and what turns the direction of writing, which a name must not do to others.
    """
    text, missing = [], 0
    for letter in unicodedata.normalize("NFC", words.translate(_SPACES)):
        if letter.isspace() and ord(letter) not in _drawn():
            text.append(" ")
        elif (unicodedata.category(letter) in ("Cc", "Cf") and letter not in _JOINERS) or letter in _VARIANTS:
            continue
        elif ord(letter) in _drawn():
            text.append(letter)
        else:
            text.append(MISSING)
            missing += 1
    return "".join(text), missing


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
