"""Who works on a run: claimed by lease, given up, taken up again, ended. PostgreSQL's clock rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, cast, false, func, text, update

from portal import attention
from portal.access.tenancy import current_tenant_id, system_scope
from portal.database import claims
from portal.extensions import db, rows_written
from portal.logs import after_commit
from portal.models import Cause, Integration, RunState, SyncRun, Tenant
from portal.sync import cursors, runs
from portal.sync.cursors import Cursor

LEASE_SECONDS = 90
CLAIM_LOCK = text(f"""
    SELECT pg_advisory_xact_lock(8201, hashtext(tenant_id || '/' || integration_id)), {claims.SERVER_SQL} AS server
    FROM sync_run WHERE tenant_id = :tenant_id AND id = :id""")
# Waits and may be tried now, or its worker died.
DUE = """(sync_run.state = 'waiting' AND coalesce(sync_run.next_try_at, clock_timestamp()) <= clock_timestamp()
            OR sync_run.state = 'running' AND sync_run.lease_until < clock_timestamp())"""
# It waits for no other run of its integration.
FREE = """(sync_run.kind = 'pdfs' OR NOT EXISTS (
            SELECT FROM run_standing AS other
            WHERE other.tenant_id = sync_run.tenant_id AND other.integration_id = sync_run.integration_id
                AND other.id <> sync_run.id AND other.kind <> 'pdfs' AND other.state = 'running'
                AND other.lease_until >= clock_timestamp()))"""
# Whoever was at work on it died, and was not told to stop, nor did the database go.
DIED = (SyncRun.state == RunState.RUNNING) & func.coalesce(
    claims.of_this_server(SyncRun.lease_token), false()
)
# Since when the longest of them waits, without those that wait for another run of their integration.
OLDEST = text(f"""
    SELECT min(CASE WHEN sync_run.state = 'running' THEN sync_run.lease_until
        ELSE greatest(sync_run.next_try_at, sync_run.created_at) END)
    FROM run_standing AS sync_run JOIN tenant t ON t.id = sync_run.tenant_id AND t.disabled_at IS NULL
    WHERE {DUE} AND {FREE}""")
# Reading customers and invoices goes one run after the other for each integration; PDFs go beside them.
ALONE = text("""(sync_run.kind = 'pdfs' OR NOT EXISTS (
            SELECT FROM sync_run other
            WHERE other.tenant_id = sync_run.tenant_id AND other.integration_id = sync_run.integration_id
                AND other.id <> sync_run.id AND other.kind <> 'pdfs' AND other.state = 'running'
                AND other.lease_until >= clock_timestamp()))""")
DUE_SOMEWHERE = f"""FROM run_standing AS sync_run
    WHERE {DUE} AND tenant_id IN (SELECT id FROM tenant WHERE disabled_at IS NULL)"""
DUE_RUNS = text(f"SELECT tenant_id, id {DUE_SOMEWHERE} ORDER BY id LIMIT :limit")
OTHERS_WAIT = text(f"SELECT EXISTS (SELECT {DUE_SOMEWHERE} AND {FREE} AND tenant_id <> :mine)")


@dataclass(frozen=True)
class Claimed:
    """A run under a lease of ours, and what it needs to begin, all as it stood when it was taken.

    `at` is the database's time then; `open_keys` are exceptions that stand, by cause and kind of record.
    """

    run: SyncRun
    integration: Integration
    tenant: Tenant
    token: str
    at: datetime
    open_keys: Mapping[Cause, dict[str, set[str]]]
    cursors: Mapping[str, Cursor]


def claim(run_id: int) -> Claimed | None:
    """Takes a waiting run, or one whose worker died; None while it is not to be had.

    Commits. A run whose workers died three times without progress ends as stale.
    """
    locked = db.session.execute(CLAIM_LOCK, {"tenant_id": current_tenant_id(), "id": run_id}).first()
    if locked is None:
        raise LookupError(f"There is no sync run {run_id}.")
    token = claims.take(SyncRun, run_id, locked.server)
    row, claimed = db.session.execute(_taking(run_id, token)).first(), None
    if row is not None and row[0].attempts >= claims.MOST_DEATHS:
        end(run_id, token, RunState.FAILED, "stale", STALE)
        tell_failed(row[0], STALE)
    elif row is not None:
        run, integration, tenant, at = row
        keys = attention.open_keys(Cause.BAD_RECORD, Cause.SUSPICIOUS_READ, Cause.SYNC_FAILED)
        claimed = Claimed(run, integration, tenant, token, at, keys, cursors.of(run.integration_id))
    db.session.commit()
    if claimed is None:
        claims.answered(token)
    return claimed


def _taking(run_id: int, token: str) -> Any:
    """The statement that takes the run, and returns it with whose it is."""
    now = func.clock_timestamp()
    return (
        update(SyncRun)
        .where(SyncRun.tenant_id == current_tenant_id(), SyncRun.id == run_id, text(DUE), ALONE)
        .where(Integration.tenant_id == SyncRun.tenant_id, Integration.id == SyncRun.integration_id)
        .where(Tenant.id == SyncRun.tenant_id)
        .values(
            state=RunState.RUNNING,
            lease_token=token,
            lease_until=now + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS),
            error=None,
            error_kind=None,
            next_try_at=None,
            attempts=SyncRun.attempts + cast(DIED, Integer),
            started_at=func.coalesce(SyncRun.started_at, now),
        )
        .returning(SyncRun, Integration, Tenant, now)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


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
        say_ended(run_id, state, error_kind)
    return ended


def say_ended(run_id: int, state: RunState, error_kind: str | None = None) -> None:
    after_commit.say("sync_run.ended", sync_run_id=run_id, state=state, error_kind=error_kind)


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
