"""What a person asks for with a file: how to read it, to take it in, to undo it, to throw it away. The caller commits.

Each is asked once: who asks again, by a second click or by going back, finds it done.
"""

from typing import Any

from sqlalchemy import delete, select, text, update

from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db, rows_written
from portal.models import (
    FileState,
    ImportFile,
    ImportFileRecord,
    ImportFileRow,
    ImportKind,
    ImportResult,
    ImportRun,
)
from portal.uploads import arriving, undoing
from portal.uploads import choice as choices
from portal.uploads.choice import Choice

NOT_TAKEN = (FileState.STAGED, FileState.CHECKED, FileState.CHECKING)
THROWN_AWAY = (*NOT_TAKEN, FileState.ARRIVING, FileState.REFUSED)
# All rows of a record have the same name: what stands in the column of its own system's numbers, or of names.
GROUP = text("""
    UPDATE import_file_row r SET record = n.record, line = n.line
    FROM (SELECT id, min(place) OVER (PARTITION BY key) AS record,
            row_number() OVER (PARTITION BY key ORDER BY place) AS line
        FROM (SELECT id, place, coalesce(nullif(btrim(cells[:first]), ''), nullif(btrim(cells[:second]), ''),
                E'\\n' || place) AS key
            FROM import_file_row WHERE tenant_id = :tenant_id AND file_id = :file_id) keyed) n
    WHERE r.tenant_id = :tenant_id AND r.id = n.id""")
COUNT = text("""
    SELECT count(DISTINCT record) FROM import_file_row WHERE tenant_id = :tenant_id AND file_id = :file_id""")


def get(file_id: int) -> ImportFile | None:
    return db.session.get(ImportFile, (current_tenant_id(), file_id))


def read(actor: Actor, file: ImportFile, choice: Choice) -> bool:
    """The file is to be looked at with its columns read so; False once it was taken in."""
    if not _moved(file, actor, NOT_TAKEN, FileState.CHECKING):
        return False
    of = {"tenant_id": file.tenant_id, "file_id": file.id}
    choices.remember(ImportKind(file.kind), file.headings, choice)
    db.session.execute(
        delete(ImportFileRecord).where(
            ImportFileRecord.tenant_id == file.tenant_id, ImportFileRecord.file_id == file.id
        )
    )
    name = "name" if file.kind == ImportKind.CUSTOMERS else "number"
    usual = choice.columns[name] + 1
    first = choice.columns.get("external_id", usual - 1) + 1
    db.session.execute(GROUP, {**of, "first": first, "second": usual})
    file.choice, file.position, file.done, file.left_out = choice.kept, 0, 0, 0
    file.records = int(db.session.scalar(COUNT, of) or 0)
    return True


def take(actor: Actor, file: ImportFile) -> bool:
    """What was looked at is to be taken in; False where that was asked before, or there is nothing to take."""
    takes = select(ImportFileRecord.id).where(
        ImportFileRecord.tenant_id == file.tenant_id,
        ImportFileRecord.file_id == file.id,
        ImportFileRecord.result.in_((ImportResult.CREATED, ImportResult.CHANGED)),
    )
    if db.session.scalar(takes.limit(1)) is None:
        return False
    if not _moved(file, actor, (FileState.CHECKED,), FileState.TAKING):
        return False
    run = _run(actor, file)
    file.run_id, file.position, file.done = run.id, 0, 0
    return True


def undo(actor: Actor, file: ImportFile) -> bool:
    """What was taken in is to go back to what it was; False where that was asked before. Raises CannotUndo."""
    undoing.refuse(file)
    if not _moved(file, actor, (FileState.TAKEN,), FileState.UNDOING):
        return False
    run = _run(actor, file)
    file.undo_run_id, file.position, file.done = run.id, 0, 0
    return True


def discard(file: ImportFile) -> bool:
    """Throws away a file of which nothing was taken in; False for any other."""
    if not rows_written(
        update(ImportFile)
        .where(
            ImportFile.tenant_id == file.tenant_id,
            ImportFile.id == file.id,
            ImportFile.state.in_(THROWN_AWAY),
        )
        .values(state=FileState.STAGED, lease_token=None)
        .execution_options(synchronize_session=False)
    ):
        return False
    for model in (ImportFileRow, ImportFileRecord):
        rows = delete(model).where(model.tenant_id == file.tenant_id, model.file_id == file.id)
        db.session.execute(rows.execution_options(synchronize_session=False))
    arriving.forget(file)
    db.session.delete(file)
    return True


def _moved(file: ImportFile, actor: Actor, before: Any, now: FileState) -> bool:
    """Whether it was in one of these states and is in the next one by this person now."""
    done = rows_written(
        update(ImportFile)
        .where(ImportFile.tenant_id == file.tenant_id, ImportFile.id == file.id, ImportFile.state.in_(before))
        .values(
            state=now, user_id=actor.user_id, true_user_id=actor.true_user_id, visit_id=actor.visit_id,
            lease_token=None, lease_until=None, tries=0,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    db.session.refresh(file)
    return bool(done)


def _run(actor: Actor, file: ImportFile) -> ImportRun:
    run = ImportRun(
        tenant_id=file.tenant_id, kind=file.kind, user_id=actor.user_id, true_user_id=actor.true_user_id, results={}
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    return run
