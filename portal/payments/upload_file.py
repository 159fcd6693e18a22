"""Reading a CSV file of payments: columns by name, one payment a row, every fault in words."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from portal import csv_in
from portal.csv_in import UnreadableFile

MOST_ROWS = 1000
MOST_BYTES = 400_000
LONGEST_CELL = 2000


@dataclass(frozen=True)
class Layout:
    """The columns of a file: by their names, ours; of each of `needed` one must be there."""

    names: Mapping[str, str]
    needed: Sequence[Set[str]]
    refusal: str
    noun: str = "payment"


PAYMENTS = Layout(
    {
        "invoice": "invoice", "invoice number": "invoice", "number": "invoice", "autotask id": "autotask_id",
        "invoice autotask id": "autotask_id", "amount": "amount", "date": "paid_on", "paid on": "paid_on",
        "day": "paid_on", "method": "method", "how": "method", "reference": "reference", "note": "note",
        "state": "state", "status": "state",
    },
    [{"amount"}, {"paid_on"}, {"invoice", "autotask_id"}],
    "The first row must name the columns: Invoice (or Autotask ID), Amount and Date; Method, State, Reference and Note "
    "if you like.",
)  # fmt: skip
EVENTS = Layout(
    {
        "payment": "payment", "payment id": "payment", "id": "payment", "reference": "reference",
        "what happened": "kind", "what": "kind", "kind": "kind", "state": "kind", "status": "kind", "date": "on",
        "on": "on", "day": "on", "amount": "amount", "reason": "reason", "code": "reason",
    },
    [{"payment", "reference"}, {"kind"}, {"on"}],
    "The first row must name the columns: Payment ID (or Reference), What happened and Date; Amount and Reason if you "
    "like.",
    "row",
)  # fmt: skip


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


def read(words: str, layout: Layout = PAYMENTS) -> list[Line]:
    """The rows below the heading; empty ones are left out. Raises UnreadableFile."""
    table = list(csv_in.rows(words))
    if not table:
        raise UnreadableFile("The file is empty.")
    names = _names(table[0], layout)
    lines = list(_lines(names, table[1:]))
    if not lines:
        raise UnreadableFile(f"The file has a heading but no {layout.noun}s.")
    if len(lines) > MOST_ROWS:
        raise UnreadableFile(
            f"The file has {len(lines):,} {layout.noun}s. Upload at most {MOST_ROWS:,} at once."
        )
    return lines


def _names(heading: list[str], layout: Layout) -> list[str]:
    names = [layout.names.get(name.strip().lower(), "") for name in heading]
    if not all(needed & set(names) for needed in layout.needed):
        raise UnreadableFile(layout.refusal)
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
