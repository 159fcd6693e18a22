"""Taking a file in as it is: its rows into the database, whatever they hold, while little of it is in memory."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any

import psycopg
from sqlalchemy import func, select, text

from portal import csv_in, plain_text
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.csv_in import UnreadableFile
from portal.extensions import db
from portal.models import FileState, ImportFile, ImportFileRow, ImportKind
from portal.uploads import choice, fields

MOST_ROWS, MOST_COLUMNS, LONGEST_CELL, LONGEST_NAME = 100_000, 100, 5000, 100
MOST_BYTES = 40 * 1024 * 1024
# Programs put titles above the headings; within so many rows these are looked for.
TITLES, SAMPLE = 12, 200
MOST_IN_HAND = 20
WIDE = "This row has more cells than the headings name."
LONG = f"A cell of this row is longer than {LONGEST_CELL:,} characters."

STAGE = """
    CREATE TEMP TABLE IF NOT EXISTS stage_file (place integer, cells text[], fault text) ON COMMIT DELETE ROWS;
    DELETE FROM stage_file"""
KEEP = text("""
    INSERT INTO import_file_row (tenant_id, file_id, place, cells, fault)
    SELECT :tenant_id, :file_id, place, cells, fault FROM stage_file ORDER BY place""")


def stage(actor: Actor, kind: ImportKind, name: str, file: IO[bytes]) -> ImportFile:
    """The file with all its rows, and how its columns will probably be read. Raises UnreadableFile; the caller commits."""
    row = begun(actor, kind, name)
    fill(row, file)
    return row


def begun(actor: Actor, kind: ImportKind, name: str) -> ImportFile:
    """The file without its rows yet. Raises UnreadableFile where too many wait already."""
    _refuse_many()
    row = ImportFile(
        tenant_id=current_tenant_id(), kind=kind, name=_plain_name(name), state=FileState.ARRIVING,
        user_id=actor.user_id, true_user_id=actor.true_user_id, visit_id=actor.visit_id,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return row


def fill(row: ImportFile, file: IO[bytes]) -> None:
    """Takes the file apart into the rows of `row`. Raises UnreadableFile."""
    kind = ImportKind(row.kind)
    is_open = csv_in.ends_in_a_row(file)
    rows = enumerate(csv_in.rows_of(file), start=1)
    head = list(islice(rows, TITLES))
    if not any(any(cells) for _, cells in head):
        raise UnreadableFile("The file is empty.")
    at = _heading(kind, [cells for _, cells in head])
    headings = _named(head[at][1])
    row.headings, row.state = headings, FileState.STAGED
    row.rows = _copy(row.id, chain(head[at + 1 :], rows), len(headings), is_open)
    row.choice = choice.suggested(kind, headings, sample(row)).kept


def _refuse_many() -> None:
    waiting = select(func.count()).where(
        ImportFile.tenant_id == current_tenant_id(),
        ImportFile.state.in_((FileState.ARRIVING, FileState.STAGED, FileState.CHECKING, FileState.CHECKED)),
    )
    if (db.session.scalar(waiting) or 0) >= MOST_IN_HAND:
        raise UnreadableFile(
            f"{MOST_IN_HAND} files are not taken in yet. Take some of them in, or throw them away, under Imports."
        )


def sample(file: ImportFile) -> Sequence[Sequence[str]]:
    """The cells of its first rows."""
    first = select(ImportFileRow.cells).where(
        ImportFileRow.tenant_id == file.tenant_id, ImportFileRow.file_id == file.id
    )
    return db.session.scalars(first.order_by(ImportFileRow.place).limit(SAMPLE)).all()


def _heading(kind: ImportKind, rows: Sequence[Sequence[str]]) -> int:
    """Which of the first rows names the columns: the one of which most is known, else the first that is not empty."""
    known = [fields.recognized(kind, cells) for cells in rows]
    if max(known) == 0:
        return next(place for place, cells in enumerate(rows) if any(cells))
    return known.index(max(known))


def _named(cells: Sequence[str]) -> list[str]:
    headings = [cell.strip() for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    if len(headings) > MOST_COLUMNS:
        raise UnreadableFile(
            f"The file has {len(headings):,} columns. Take away those that are not needed: {MOST_COLUMNS} are the most."
        )
    return [name[:LONGEST_NAME] or f"Column {place}" for place, name in enumerate(headings, start=1)]


def _plain_name(name: str) -> str:
    """The name without folders, and without what is no text."""
    last = plain_text.cleaned(name).replace(plain_text.MARK, "_").replace("\\", "/").rpartition("/")[2]
    return " ".join(last.split())[-LONGEST_NAME:] or "file.csv"


def _copy(file_id: int, rows: Iterator[tuple[int, list[str]]], wide: int, cut: bool) -> int:
    """How many rows were kept. Raises UnreadableFile for none, too many, and a file that ends in the middle of one."""
    raw: Any = db.session.connection().connection.dbapi_connection
    assert isinstance(raw, psycopg.Connection)
    number, last = 0, wide
    with raw.cursor() as cursor:
        cursor.execute(STAGE)
        with cursor.copy("COPY stage_file (place, cells, fault) FROM STDIN") as copy:
            for place, cells in rows:
                if not any(cells):
                    continue
                number, last = number + 1, len(cells)
                if number > MOST_ROWS:
                    raise UnreadableFile(
                        f"The file has more than {MOST_ROWS:,} rows. Upload it in parts, with all rows of an invoice in one."
                    )
                copy.write_row(
                    (place, [cell.strip()[:LONGEST_CELL] for cell in cells[:wide]], _fault(cells, wide))
                )
    if not number:
        raise UnreadableFile("The file has headings but no rows.")
    if cut and last < wide:
        raise UnreadableFile(
            "The file ends in the middle of a row: only a part of it is here. Export or download it once more."
        )
    db.session.execute(KEEP, {"tenant_id": current_tenant_id(), "file_id": file_id})
    return number


def _fault(cells: Sequence[str], wide: int) -> str:
    if any(cell.strip() for cell in cells[wide:]):
        return WIDE
    return LONG if any(len(cell) > LONGEST_CELL for cell in cells) else ""
