"""CSV files as other programs write them: told from other kinds of files, decoded, and taken apart row by row."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO

from portal import plain_text

SEPARATORS = ",;\t"
LOOKED_AT, LINES_LOOKED_AT = 4096, 30
BLOCK = 1 << 20
LONGEST_ROW = 500_000
AGAIN = "Save the table as “CSV UTF-8” and choose it again."
# How other kinds of files begin, and what they are called.
OTHERS = (
    (b"PK\x03\x04", "an Excel workbook or another archive"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"), (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"),
    (b"{\\rtf", "a text document"), (b"\x1f\x8b", "a packed archive"),
)  # fmt: skip
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
NO_TEXT = "The file is not readable text. " + AGAIN
NO_CSV = "The file is not a CSV file. " + AGAIN


class UnreadableFile(ValueError):
    """The file as a whole cannot be taken; str() is a sentence for the person who chose it."""


def encoding_of(file: IO[bytes]) -> str:
    """UTF-8, UTF-16, or else Windows-1252, by its mark or by what it holds. Raises UnreadableFile for other files."""
    file.seek(0)
    head = file.read(LOOKED_AT)
    for start, what in OTHERS:
        if head.startswith(start):
            raise UnreadableFile(f"The file is {what}, not readable text. {AGAIN}")
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _without_a_mark(head)
    return "utf-8" if _is_utf_8(file) else "cp1252"


def _without_a_mark(head: bytes) -> str:
    """UTF-16 by the side on which nearly all of its NULs stand. Raises UnreadableFile."""
    first, second = head[::2].count(0), head[1::2].count(0)
    if max(first, second) < len(head) // 4 or min(first, second) > len(head) // 50:
        raise UnreadableFile(NO_CSV)
    return "utf-16-le" if second > first else "utf-16-be"


def _is_utf_8(file: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def text_of(data: bytes) -> str:
    """A whole small file as text. Raises UnreadableFile."""
    file = io.BytesIO(data)
    with _decoded(file, encoding_of(file)) as text:
        words = plain_text.cleaned(text.read())
    if not plain_text.is_text(words):
        raise UnreadableFile(NO_CSV)
    return words


def rows(words: str) -> Iterator[list[str]]:
    """The rows of a text. Raises UnreadableFile."""
    return _apart(io.StringIO(words, newline=""))


def rows_of(file: IO[bytes]) -> Iterator[list[str]]:
    """The rows of a file of any length, each of them text. Raises UnreadableFile where it comes to what is none."""
    with _decoded(file, encoding_of(file)) as text:
        for number, cells in enumerate(_apart(text), start=1):
            cleaned = [plain_text.cleaned(cell) for cell in cells]
            if not all(plain_text.is_text(cell) for cell in cleaned):
                raise UnreadableFile(
                    f"Row {number:,} of the file holds signs that are no text, such as control characters. {AGAIN}"
                )
            yield cleaned


def ends_in_a_row(file: IO[bytes]) -> bool:
    """Whether no line end closes the last row, as where a file was cut off."""
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - 4))
    return not file.read().rstrip(b"\0").endswith((b"\n", b"\r"))


@contextmanager
def _decoded(file: IO[bytes], encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text from its beginning; it stays open."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield text
    except UnicodeDecodeError:
        raise UnreadableFile(NO_TEXT) from None
    finally:
        text.detach()


def _apart(text: IO[str]) -> Iterator[list[str]]:
    separator = _separator(text)
    lines = _Lines(text)
    try:
        for cells in csv.reader(lines, delimiter=separator, strict=True):
            lines.taken = 0
            yield cells
    except csv.Error as error:
        if "field limit" in str(error):
            raise UnreadableFile(
                f"A cell of the file is longer than {csv.field_size_limit():,} characters: "
                "a quotation mark is probably left open."
            ) from error
        raise UnreadableFile(
            "The file is not a proper CSV file: a quotation mark is left open, or stands where none may be."
        ) from error


class _Lines:
    """The lines of a text, of which one row may take so many characters: a file without line ends is not held whole."""

    def __init__(self, text: IO[str]) -> None:
        self.text, self.taken = text, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(LONGEST_ROW + 1):
            self.taken += len(line)
            if self.taken > LONGEST_ROW:
                raise UnreadableFile(
                    f"A row of the file is longer than {LONGEST_ROW:,} characters: a quotation mark is probably left open."
                )
            yield line


def _separator(text: IO[str]) -> str:
    """What parts the cells: as a line `sep=;` says, which is passed over, else what parts most rows alike."""
    first = text.readline(LOOKED_AT)
    if first.lower().startswith("sep=") and first[4:5] in SEPARATORS:
        return first[4]
    lines = [first, *islice(iter(lambda: text.readline(LOOKED_AT), ""), LINES_LOOKED_AT)]
    text.seek(0)
    return max(SEPARATORS, key=lambda sign: _parted_alike(lines, sign))


def _parted_alike(lines: list[str], sign: str) -> tuple[int, int]:
    """How many rows have the number of cells that most have, and that number; none where rows are one cell."""
    try:
        wide = Counter(len(cells) for cells in csv.reader(lines, delimiter=sign) if len(cells) > 1)
    except csv.Error:
        return 0, 0
    return max(((rows, cells) for cells, rows in wide.items()), default=(0, 0))
