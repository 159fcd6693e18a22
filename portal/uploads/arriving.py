"""A large file: kept as it was sent while a person waits, taken apart in a worker.

Taking apart 40 MB takes longer than any request may; keeping them takes about a second.
"""

import io
import tempfile
from collections.abc import Iterator
from typing import IO

from sqlalchemy import delete, insert, select

from portal import csv_in
from portal.access.actor import Actor
from portal.csv_in import UnreadableFile
from portal.extensions import db
from portal.models import FileState, ImportFile, ImportKind, StoredFile
from portal.uploads import staging

# What is taken apart while a person waits: about a second of work.
AT_ONCE = 2 * 1024 * 1024
BLOCK = 1 << 20
FAILED = "The file could not be read because of an error in the portal itself. Upload it again; if that fails, tell support."

KILLED = (
    "Three times in a row the portal's own process died while it worked on this file, so it does not try again by itself. "
    "Upload it again, in smaller parts where it is large; if it ends like this again, tell support."
)


def receive(actor: Actor, kind: ImportKind, name: str, file: IO[bytes]) -> ImportFile:
    """The file, taken apart at once where it is small. Raises UnreadableFile; the caller commits, then begins the work."""
    if file.seek(0, io.SEEK_END) <= AT_ONCE:
        return staging.stage(actor, kind, name, file)
    csv_in.encoding_of(file)
    row = staging.begun(actor, kind, name)
    file.seek(0)
    for place, block in enumerate(iter(lambda: file.read(BLOCK), b"")):
        kept = insert(StoredFile).values(tenant_id=row.tenant_id, key=_key(row, place), data=block)
        db.session.execute(kept)
    return row


def take_apart(row: ImportFile) -> None:
    """What was kept becomes rows; what cannot be read is refused with the reason. The caller commits."""
    with tempfile.TemporaryFile() as file:
        for block in _blocks(row):
            file.write(block)
        file.seek(0)
        try:
            with db.session.begin_nested():
                staging.fill(row, file)
        except UnreadableFile as fault:
            refuse(row, str(fault))
            return
    forget(row)


def refuse(row: ImportFile, why: str) -> None:
    row.state, row.fault, row.headings, row.rows = FileState.REFUSED, why, [], 0
    forget(row)


def forget(row: ImportFile) -> None:
    """What was kept of it goes."""
    kept = delete(StoredFile).where(
        StoredFile.tenant_id == row.tenant_id, StoredFile.key.startswith(_key(row), autoescape=True)
    )
    db.session.execute(kept.execution_options(synchronize_session=False))


def _blocks(row: ImportFile) -> Iterator[bytes]:
    """One at a time, in order."""
    place = 0
    while True:
        block = db.session.scalar(
            select(StoredFile.data).where(
                StoredFile.tenant_id == row.tenant_id, StoredFile.key == _key(row, place)
            )
        )
        if block is None:
            return
        yield block
        place += 1


def _key(row: ImportFile, place: int | None = None) -> str:
    return f"upload/{row.id}/" + ("" if place is None else f"{place:04}")
