"""Works on a file part by part under a lease: in a request while it is small, else in a worker. Safe to start twice."""

from collections.abc import Callable

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from portal import queue
from portal.access.tenancy import current_tenant_id, system_scope
from portal.database import claims
from portal.extensions import db
from portal.imports import customers
from portal.models import FileState, ImportFile, ImportKind
from portal.uploads import arriving, claiming, steps, undoing

log = structlog.get_logger(__name__)
# After so many errors of one step, the record that it cannot do is passed over.
MOST_TRIES = 5
# What a person waits for; larger files are worked on beside.
AT_ONCE = 1000
DUE = text("""
    SELECT f.tenant_id, f.id FROM file_standing f JOIN tenant t ON t.id = f.tenant_id AND t.disabled_at IS NULL
    WHERE f.state IN ('arriving', 'checking', 'taking', 'undoing') AND coalesce(f.lease_until, '-infinity') < clock_timestamp()
    ORDER BY f.id LIMIT 100""")
NO_MONEY = (FileState.ARRIVING, FileState.REFUSED, FileState.STAGED, FileState.CHECKING, FileState.CHECKED)


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
    with claims.living():
        return _work(file_id)


def _work(file_id: int) -> bool:
    token = claiming.take(file_id)
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
    claims.answered(token)
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
        file.state, file.lease_until = FileState.STAGED, None
    elif file.tries >= MOST_TRIES:
        if file.state == FileState.ARRIVING:
            arriving.refuse(file, arriving.FAILED)
        else:
            (steps if file.state == FileState.TAKING else undoing).pass_over(file)
        file.lease_until = None
    file.lease_token = None
    db.session.commit()


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
        file.lease_until = claiming.later()  # type: ignore[assignment]
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
