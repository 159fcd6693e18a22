"""Works on a file part by part under a lease: in a request while it is small, else in a worker. Safe to start twice."""

import secrets
from collections.abc import Callable

import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError

from portal import queue
from portal.access.tenancy import current_tenant_id, system_scope
from portal.extensions import db, rows_written
from portal.imports import customers
from portal.models import FileState, ImportFile, ImportKind
from portal.uploads import arriving, steps, undoing

log = structlog.get_logger(__name__)
LEASE_SECONDS = 90
# After so many errors of one step, the record that it cannot do is passed over.
MOST_TRIES = 5
# What a person waits for; larger files are worked on beside.
AT_ONCE = 1000
DUE = text("""
    SELECT f.tenant_id, f.id FROM file_standing f JOIN tenant t ON t.id = f.tenant_id AND t.disabled_at IS NULL
    WHERE f.state IN ('arriving', 'checking', 'taking', 'undoing') AND coalesce(f.lease_until, '-infinity') < clock_timestamp()
    ORDER BY f.id LIMIT 100""")
# In the order in which they were asked: a file's records are told when all are in, and undoing goes by that.
IS_NEXT = text("""(import_file.state IN ('arriving', 'checking') OR NOT EXISTS (SELECT FROM import_file o
    WHERE o.tenant_id = import_file.tenant_id AND o.id <> import_file.id AND o.state IN ('taking', 'undoing')
        AND (o.lease_until > clock_timestamp() OR CASE o.state WHEN 'taking' THEN o.run_id ELSE o.undo_run_id END
            < CASE import_file.state WHEN 'taking' THEN import_file.run_id ELSE import_file.undo_run_id END)))""")
NO_MONEY = (FileState.ARRIVING, FileState.REFUSED, FileState.STAGED, FileState.CHECKING, FileState.CHECKED)
WORKED_ON = (FileState.ARRIVING, FileState.CHECKING, FileState.TAKING, FileState.UNDOING)


def due() -> list[tuple[int, int]]:
    """(tenant id, file id) of files that wait to be worked on, or whose worker died. Closes its transaction."""
    with system_scope():
        rows = db.session.execute(DUE).all()
        db.session.rollback()
    return [(row.tenant_id, row.id) for row in rows]


def begin(file: ImportFile) -> None:
    """After the commit of what was asked: a small file is worked on at once, for a larger one the bell is rung."""
    tenant_id, file_id = file.tenant_id, file.id
    if file.rows <= AT_ONCE and file.state != FileState.ARRIVING:
        work(file_id)
    else:
        queue.bell(queue.SYNCS, "jobs.uploads.work_on", tenant_id, file_id)


def work(file_id: int) -> bool:
    """Works on a file that waits, to its end; False while somebody else does, or there is nothing to do. Commits."""
    token = _claim(file_id)
    if token is None:
        return False
    try:
        while _part(file_id, token):
            pass
    except OperationalError:
        raise  # the database was away: whoever finds the lease ended goes on
    except Exception:
        db.session.rollback()
        _give_back(file_id, token)
        raise
    return True


def _give_back(file_id: int, token: str) -> None:
    """Nothing is tried for ever: a file that cannot be looked at waits for a person again, a record is passed over.

    Until then the lease goes on, so that the next try comes later. Commits.
    """
    file = _ours(file_id, token)
    if file is None:
        db.session.rollback()
        return
    file.tries += 1
    if file.state == FileState.CHECKING:
        file.state, file.lease_token, file.lease_until = FileState.STAGED, None, None
    elif file.tries >= MOST_TRIES:
        if file.state == FileState.ARRIVING:
            arriving.refuse(file, arriving.FAILED)
        else:
            (steps if file.state == FileState.TAKING else undoing).pass_over(file)
        file.lease_token = file.lease_until = None
    db.session.commit()


def _claim(file_id: int) -> str | None:
    """One file of a partner is taken in or undone at a time."""
    customers.lock()
    token = secrets.token_hex(12)
    free = func.coalesce(ImportFile.lease_until, func.clock_timestamp() - text("interval '1 second'"))
    waiting = (
        select(ImportFile.id)
        .where(
            ImportFile.tenant_id == current_tenant_id(),
            ImportFile.id == file_id,
            ImportFile.state.in_(WORKED_ON),
            free < func.clock_timestamp(),
            IS_NEXT,
        )
        .with_for_update(skip_locked=True)  # whoever holds it works on it still, whatever its lease says
        .correlate(None)
    )
    taken = rows_written(
        update(ImportFile)
        .where(ImportFile.tenant_id == current_tenant_id(), ImportFile.id == waiting.scalar_subquery())
        .values(lease_token=token, lease_until=_later())
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return token if taken else None


def _later() -> object:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)


def _ours(file_id: int, token: str) -> ImportFile | None:
    """The file, held until the transaction ends; None once the lease is somebody else's."""
    return db.session.scalar(
        select(ImportFile)
        .where(
            ImportFile.tenant_id == current_tenant_id(),
            ImportFile.id == file_id,
            ImportFile.lease_token == token,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _arrives(file_id: int) -> bool:
    """Taking a file apart changes no customer or invoice, and nobody else need wait for it."""
    file = select(ImportFile.state).where(
        ImportFile.tenant_id == current_tenant_id(), ImportFile.id == file_id
    )
    return db.session.scalar(file) == FileState.ARRIVING


def _part(file_id: int, token: str) -> bool:
    """One part; whether there is more. Commits."""
    if not _arrives(file_id):
        customers.lock()  # before the file, as _claim does
    file = _ours(file_id, token)
    if file is None:
        db.session.rollback()
        return False
    more = PARTS[FileState(file.state)](file, token)
    file = _ours(file_id, token)
    if file is None:
        db.session.rollback()
        return False
    if file.tries and file.done % steps.RECORDS_AT_ONCE == 0:
        file.tries = 0  # what failed lies behind: parts are whole again
    if more:
        file.lease_until = _later()  # type: ignore[assignment]
    else:
        file.lease_token = file.lease_until = None
    is_money = file.kind == ImportKind.INVOICES and file.state not in NO_MONEY
    db.session.commit()
    if is_money:
        queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", current_tenant_id())
    return more


def _check(file: ImportFile, token: str) -> bool:
    """All that looking did is rolled back; then what it found is kept."""
    file_id, before = file.id, file.position
    places = steps.next_places(file)
    rows = steps.check(file, places)
    db.session.rollback()
    held = _ours(file_id, token)
    if held is None:
        return False
    if not places:
        steps.end_check(held)
        return False
    assert held.position == before
    steps.keep_checked(held, rows, len(places), places[-1])
    return True


def _take(file: ImportFile, token: str) -> bool:
    return steps.take(file)


def _arrive(file: ImportFile, token: str) -> bool:
    arriving.take_apart(file)
    return False


def _undo(file: ImportFile, token: str) -> bool:
    return undoing.undo(file)


PARTS: dict[FileState, Callable[[ImportFile, str], bool]] = {
    FileState.ARRIVING: _arrive,
    FileState.CHECKING: _check,
    FileState.TAKING: _take,
    FileState.UNDOING: _undo,
}
