"""Who works on a run: claimed by lease, given up, taken up again, ended. PostgreSQL's clock rules."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import func, text, update

from portal import attention
from portal.access.tenancy import current_tenant_id, system_scope
from portal.extensions import db, rows_written
from portal.logs import after_commit
from portal.models import Cause, RunState, SyncRun
from portal.sync import runs

LEASE_SECONDS = 90
MOST_CRASHES = 3
CLAIM_LOCK = text("SELECT pg_advisory_xact_lock(8201, hashtext(:key))")
# Waits and may be tried now, or its worker died.
DUE = """(sync_run.state = 'waiting' AND coalesce(sync_run.next_try_at, clock_timestamp()) <= clock_timestamp()
            OR sync_run.state = 'running' AND sync_run.lease_until < clock_timestamp())"""
# It waits for no other run of its integration.
FREE = """(sync_run.kind = 'pdfs' OR NOT EXISTS (
            SELECT FROM run_standing AS other
            WHERE other.tenant_id = sync_run.tenant_id AND other.integration_id = sync_run.integration_id
                AND other.id <> sync_run.id AND other.kind <> 'pdfs' AND other.state = 'running'
                AND other.lease_until >= clock_timestamp()))"""
# Since when the longest of them waits, without those that wait for another run of their integration.
OLDEST = text(f"""
    SELECT min(CASE WHEN sync_run.state = 'running' THEN sync_run.lease_until
        ELSE greatest(sync_run.next_try_at, sync_run.created_at) END)
    FROM run_standing AS sync_run JOIN tenant t ON t.id = sync_run.tenant_id AND t.disabled_at IS NULL
    WHERE {DUE} AND {FREE}""")
# Reading customers and invoices goes one run after the other for each integration; PDFs go beside them.
CLAIM = text(f"""
    UPDATE sync_run SET state = 'running', lease_token = :token, error = NULL, error_kind = NULL,
        lease_until = clock_timestamp() + make_interval(secs => :seconds), next_try_at = NULL,
        attempts = attempts + (state = 'running')::int, started_at = coalesce(started_at, clock_timestamp())
    WHERE tenant_id = :tenant_id AND id = :id
        AND {DUE}
        AND (kind = 'pdfs' OR NOT EXISTS (
            SELECT FROM sync_run other
            WHERE other.tenant_id = sync_run.tenant_id AND other.integration_id = sync_run.integration_id
                AND other.id <> sync_run.id AND other.kind <> 'pdfs' AND other.state = 'running'
                AND other.lease_until >= clock_timestamp()))
    RETURNING attempts""")
DUE_SOMEWHERE = f"""FROM run_standing AS sync_run
    WHERE {DUE} AND tenant_id IN (SELECT id FROM tenant WHERE disabled_at IS NULL)"""
DUE_RUNS = text(f"SELECT tenant_id, id {DUE_SOMEWHERE} ORDER BY id LIMIT :limit")
OTHERS_WAIT = text(f"SELECT EXISTS (SELECT {DUE_SOMEWHERE} AND {FREE} AND tenant_id <> :mine)")


def claim(run_id: int) -> str | None:
    """Takes a waiting run, or one whose worker died; the lease's token, or None while it is not to be had.

    Commits. A run whose workers died three times without progress ends as stale.
    """
    run = runs.get(run_id)
    db.session.execute(CLAIM_LOCK, {"key": f"{run.tenant_id}/{run.integration_id}"})
    token = secrets.token_hex(12)
    attempts = db.session.scalar(
        CLAIM, {"tenant_id": run.tenant_id, "id": run_id, "token": token, "seconds": LEASE_SECONDS}
    )
    stale = attempts is not None and attempts >= MOST_CRASHES
    if stale:
        end(run_id, token, RunState.FAILED, "stale", STALE)
        tell_failed(run, STALE)
    db.session.commit()
    return None if stale or attempts is None else token


STALE = (
    "The work on this run stopped three times without getting on, so it was ended. Nothing that it wrote is "
    "lost. Press Retry; if it ends like this again, tell support."
)


def tell_failed(run: SyncRun, reason: str) -> None:
    """An exception for people, until the next good run of the kind. The caller commits."""
    attention.open_item(
        Cause.SYNC_FAILED,
        "sync_run",
        run.kind,
        label=f"Sync failed: {runs.KINDS[run.kind]}",
        detail=f"{reason} What was read before is kept. The next run reads it again; Retry does so now.",
        run_id=run.id,
    )


def end(
    run_id: int, token: str, state: RunState, error_kind: str | None = None, error: str | None = None
) -> bool:
    """Ends a run that is ours. False when the lease went to somebody else."""
    ended = _settle(
        run_id,
        token,
        state=state,
        error_kind=error_kind,
        error=error,
        finished_at=func.clock_timestamp(),
        current_item=None,
    )
    if ended:
        after_commit.say("sync_run.ended", sync_run_id=run_id, state=state, error_kind=error_kind)
    return ended


def postpone(run_id: int, token: str, seconds: float, error_kind: str, error: str, tries: int) -> bool:
    """Lets a run of ours wait for some seconds before it goes on where it stopped."""
    return _settle(
        run_id,
        token,
        state=RunState.WAITING,
        error_kind=error_kind,
        error=error,
        checkpoint=SyncRun.checkpoint.concat({"tries": tries}),
        next_try_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
        attempts=0,
    )


def _settle(run_id: int, token: str, **values: Any) -> bool:
    done = rows_written(
        update(SyncRun)
        .where(
            SyncRun.tenant_id == current_tenant_id(),
            SyncRun.id == run_id,
            SyncRun.state == RunState.RUNNING,
            SyncRun.lease_token == token,
        )
        .values(lease_token=None, lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )
    return bool(done)


def others_wait() -> bool:
    """Whether a run of another partner than the one in scope waits to be worked on. Closes its transaction."""
    mine = current_tenant_id()
    with system_scope():
        found = bool(db.session.scalar(OTHERS_WAIT, {"mine": mine}))
        db.session.rollback()
    return found


def due(limit: int = 200) -> list[tuple[int, int]]:
    """(tenant id, run id) of runs that wait to be worked on, or whose worker died. Closes its transaction."""
    with system_scope():
        rows = db.session.execute(DUE_RUNS, {"limit": limit}).all()
        db.session.rollback()
    return [(row.tenant_id, row.id) for row in rows]


def oldest() -> datetime | None:
    """Since when the run waits that nobody has taken up for longest."""
    with system_scope():
        return db.session.scalar(OLDEST)
