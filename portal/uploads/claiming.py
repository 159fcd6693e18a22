"""Who works on a file: one worker of a partner's at a time, and nobody on what three died over."""

from typing import Any

import structlog
from sqlalchemy import func, select, text

from portal.access.tenancy import current_tenant_id
from portal.database import claims
from portal.extensions import db
from portal.imports import customers
from portal.models import FileState, ImportFile
from portal.uploads import arriving, steps, undoing

log = structlog.get_logger(__name__)
LEASE_SECONDS = 90
# In the order in which they were asked: a file's records are told when all are in, and undoing goes by that.
IS_NEXT = text("""(import_file.state IN ('arriving', 'checking') OR NOT EXISTS (SELECT FROM import_file o
    WHERE o.tenant_id = import_file.tenant_id AND o.id <> import_file.id AND o.state IN ('taking', 'undoing')
        AND (o.lease_until > clock_timestamp() OR CASE o.state WHEN 'taking' THEN o.run_id ELSE o.undo_run_id END
            < CASE import_file.state WHEN 'taking' THEN import_file.run_id ELSE import_file.undo_run_id END)))""")
WORKED_ON = (FileState.ARRIVING, FileState.CHECKING, FileState.TAKING, FileState.UNDOING)


def take(file_id: int) -> str | None:
    """One file of a partner is taken in or undone at a time. Commits."""
    customers.lock()
    row = db.session.execute(_waiting(file_id)).first()
    token = None
    if row is not None and not _kills(*row):
        file, server = row
        token = file.lease_token = claims.take(ImportFile, file_id, server)
        file.lease_until = later()
    db.session.commit()
    return token


def _kills(file: ImportFile, server: str) -> bool:
    """Counts the worker that died over it. At the third, what was looked at is refused, and a record passed over.

    Parts are of one record each once one died, so that the next record is what the others died of.
    """
    died = claims.deaths(file.lease_token, server) > 0
    if died:
        file.tries += 1
        log.warning("upload.worker_died", file_id=file.id, tries=file.tries)
    if not died or file.tries < claims.MOST_DEATHS:
        return False
    if file.state in (FileState.TAKING, FileState.UNDOING):
        (steps if file.state == FileState.TAKING else undoing).pass_over(file)
        return False
    arriving.refuse(file, arriving.KILLED)
    file.lease_token = file.lease_until = None
    return True


def _waiting(file_id: int) -> Any:
    free = func.coalesce(ImportFile.lease_until, func.clock_timestamp() - text("interval '1 second'"))
    return (
        select(ImportFile, claims.SERVER)
        .where(
            ImportFile.tenant_id == current_tenant_id(),
            ImportFile.id == file_id,
            ImportFile.state.in_(WORKED_ON),
            free < func.clock_timestamp(),
            IS_NEXT,
        )
        # Whoever holds it works on it still, whatever its lease says.
        .with_for_update(skip_locked=True, of=ImportFile)
        .execution_options(populate_existing=True)
    )


def later() -> object:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
