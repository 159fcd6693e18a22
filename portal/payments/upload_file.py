"""Reading a CSV file of payments: columns by name, one payment a row, every fault in words."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from portal import csv_in
from portal.csv_in import UnreadableFile

MOST_ROWS = 1000
MOST_BYTES = 400_000
LONGEST_CELL = 2000
NAMES = {
    "invoice": "invoice", "invoice number": "invoice", "number": "invoice", "autotask id": "autotask_id",
    "invoice autotask id": "autotask_id", "amount": "amount", "date": "paid_on", "paid on": "paid_on",
    "day": "paid_on", "method": "method", "how": "method", "reference": "reference", "note": "note",
}  # fmt: skip


@dataclass
class Line:
    """One row of the file: its line number, its cells by our names, and what is wrong with it."""

    number: int
    cells: dict[str, str]
    errors: list[str] = field(default_factory=list)

    def cell(self, name: str) -> str:
        return self.cells.get(name, "")


def decoded(data: bytes) -> str:
    """The file as text. Raises UnreadableFile for pictures, other kinds of files, and files that are too large."""
    if len(data) > MOST_BYTES:
        raise UnreadableFile("The file is larger than 400 kB. Upload it in parts.")
    return csv_in.text_of(data)


def read(words: str) -> list[Line]:
    """The rows below the heading; empty ones are left out. Raises UnreadableFile."""
    table = list(csv_in.rows(words))
    if not table:
        raise UnreadableFile("The file is empty.")
    names = _names(table[0])
    lines = list(_lines(names, table[1:]))
    if not lines:
        raise UnreadableFile("The file has a heading but no payments.")
    if len(lines) > MOST_ROWS:
        raise UnreadableFile(f"The file has {len(lines):,} payments. Upload at most {MOST_ROWS:,} at once.")
    return lines


def _names(heading: list[str]) -> list[str]:
    names = [NAMES.get(name.strip().lower(), "") for name in heading]
    missing = [name for name in ("amount", "paid_on") if name not in names]
    if missing or not {"invoice", "autotask_id"} & set(names):
        raise UnreadableFile(
            "The first row must name the columns: Invoice (or Autotask ID), Amount and Date; Method, Reference and "
            "Note if you like."
        )
    known = [name for name in names if name]
    if len(known) != len(set(known)):
        raise UnreadableFile("A column appears twice in the first row.")
    return names


def _lines(names: list[str], table: list[list[str]]) -> Iterator[Line]:
    for number, cells in enumerate(table, start=2):
        if any(cell.strip() for cell in cells):
            found = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
            line = Line(number, {name: cell[:LONGEST_CELL] for name, cell in found.items()})
            if len(cells) > len(names):
                line.errors.append("This row has more cells than the first row names.")
            yield line
