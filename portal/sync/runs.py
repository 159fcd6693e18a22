"""The life of a sync run: started once, claimed by lease, taken up again, ended. PostgreSQL's clock rules.

None of these commits unless it says so.
"""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped, system_scope
from portal.extensions import db, rows_written
from portal.logs import after_commit
from portal.models import INCOMPLETE, Integration, RunState, SyncKind, SyncRun, SyncTrigger
from portal.queue import SYNCS, bell
from portal.sync import counts

KINDS: dict[str, str] = {
    SyncKind.ALL: "Everything",
    SyncKind.NEW: "New data",
    SyncKind.UNPAID: "Unpaid invoices",
    SyncKind.CUSTOMERS: "All customers",
    SyncKind.PDFS: "PDF invoices",
}

LEASE_SECONDS = 90
MOST_CRASHES = 3
RUN_JOB = "jobs.sync.run_sync"

CLAIM_LOCK = text("SELECT pg_advisory_xact_lock(8201, hashtext(:key))")

# Reading customers and invoices goes one run after the other for each integration; PDFs go beside them.
CLAIM = text("""
    UPDATE sync_run SET state = 'running', lease_token = :token, error = NULL, error_kind = NULL,
        lease_until = clock_timestamp() + make_interval(secs => :seconds), next_try_at = NULL,
        attempts = attempts + (state = 'running')::int, started_at = coalesce(started_at, clock_timestamp())
    WHERE tenant_id = :tenant_id AND id = :id
        AND (state = 'waiting' AND coalesce(next_try_at, clock_timestamp()) <= clock_timestamp()
            OR state = 'running' AND lease_until < clock_timestamp())
        AND (kind = 'pdfs' OR NOT EXISTS (
            SELECT FROM sync_run other
            WHERE other.tenant_id = sync_run.tenant_id AND other.integration_id = sync_run.integration_id
                AND other.id <> sync_run.id AND other.kind <> 'pdfs' AND other.state = 'running'
                AND other.lease_until >= clock_timestamp()))
    RETURNING attempts""")


def start(
    integration: Integration,
    kind: str,
    trigger: str,
    actor: Actor,
    *,
    forced: bool = False,
    due_at: datetime | None = None,
    retry_of_id: int | None = None,
) -> SyncRun:
    """A new waiting run, or the incomplete one of this kind if there is one. Safe to call twice at once."""
    values = {
        "tenant_id": integration.tenant_id,
        "integration_id": integration.id,
        "kind": kind,
        "trigger": trigger,
        "forced": forced,
        "user_id": actor.user_id,
        "true_user_id": actor.true_user_id,
        "retry_of_id": retry_of_id,
        "due_at": due_at,
        "filters": integration.filters,
        "items": counts.none_yet(),
        "next_try_at": func.clock_timestamp(),
    }
    made = db.session.scalar(insert(SyncRun).values(values).on_conflict_do_nothing().returning(SyncRun.id))
    if made is None:
        return _already(integration, kind, due_at)
    if trigger != SyncTrigger.SCHEDULE:
        audit.record(actor, "sync_run.started", "sync_run", made, kind=kind, trigger=trigger, forced=forced)
    return get(made)


def _already(integration: Integration, kind: str, due_at: datetime | None) -> SyncRun:
    found = db.session.scalar(
        scoped(SyncRun)
        .where(SyncRun.integration_id == integration.id, SyncRun.kind == kind)
        .where(or_(SyncRun.state.in_(INCOMPLETE), SyncRun.due_at == due_at))
        .order_by(SyncRun.state.in_(INCOMPLETE).desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if found is None:  # it ended between the two statements
        raise RuntimeError("The other run ended just now; start again.")
    return found


def get(run_id: int) -> SyncRun:
    """The run as it stands in the database now."""
    run = db.session.get(SyncRun, (current_tenant_id(), run_id), populate_existing=True)
    if run is None:
        raise LookupError(f"There is no sync run {run_id}.")
    return run


def ring(run: SyncRun) -> None:
    """Asks a worker to take the run up. Call it after the commit; a lost bell costs seconds."""
    bell(SYNCS, RUN_JOB, run.tenant_id, run.id)


def claim(run_id: int) -> str | None:
    """Takes a waiting run, or one whose worker died; the lease's token, or None while it is not to be had.

    Commits. A run whose workers died three times without progress ends as stale.
    """
    run = get(run_id)
    db.session.execute(CLAIM_LOCK, {"key": f"{run.tenant_id}/{run.integration_id}"})
    token = secrets.token_hex(12)
    attempts = db.session.scalar(
        CLAIM, {"tenant_id": run.tenant_id, "id": run_id, "token": token, "seconds": LEASE_SECONDS}
    )
    stale = attempts is not None and attempts >= MOST_CRASHES
    if stale:
        end(run_id, token, RunState.FAILED, "stale", STALE)
    db.session.commit()
    return None if stale or attempts is None else token


STALE = (
    "The work on this run stopped three times without getting on, so it was ended. Nothing that it wrote is "
    "lost. Press Retry; if it ends like this again, tell support."
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


def cancel(actor: Actor, run: SyncRun) -> bool:
    """Ends a waiting run at once and asks a running one to stop after its page. False when it has ended."""
    done = rows_written(
        update(SyncRun)
        .where(
            SyncRun.tenant_id == run.tenant_id,
            SyncRun.id == run.id,
            SyncRun.state.in_(INCOMPLETE),
            SyncRun.cancel_requested_at.is_(None),
        )
        .values(
            cancel_requested_at=func.clock_timestamp(),
            state=text("CASE WHEN state = 'waiting' THEN 'cancelled' ELSE state END"),
            finished_at=text("CASE WHEN state = 'waiting' THEN clock_timestamp() END"),
        )
        .execution_options(synchronize_session=False)
    )
    if done:
        audit.record(actor, "sync_run.cancelled", "sync_run", run.id, kind=run.kind)
    return bool(done)


def retry(actor: Actor, run: SyncRun) -> SyncRun:
    """Starts the same sync again. It is no new start for the limits of rule 3.5."""
    integration = db.session.get_one(Integration, (run.tenant_id, run.integration_id))
    return start(integration, run.kind, SyncTrigger.RETRY, actor, forced=run.forced, retry_of_id=run.id)


def due(limit: int = 200) -> list[tuple[int, int]]:
    """(tenant id, run id) of runs that wait to be worked on, or whose worker died. Closes its transaction."""
    with system_scope():
        rows = db.session.execute(
            select(SyncRun.tenant_id, SyncRun.id)
            .where(
                or_(
                    (SyncRun.state == RunState.WAITING)
                    & (func.coalesce(SyncRun.next_try_at, func.clock_timestamp()) <= func.clock_timestamp()),
                    (SyncRun.state == RunState.RUNNING) & (SyncRun.lease_until < func.clock_timestamp()),
                )
            )
            .order_by(SyncRun.id)
            .limit(limit)
        ).all()
        db.session.rollback()
    return [(row.tenant_id, row.id) for row in rows]


def last(integration_id: int, kind: str, *states: str) -> SyncRun | None:
    """The newest run of a kind, of these states if any are named."""
    query = scoped(SyncRun).where(SyncRun.integration_id == integration_id, SyncRun.kind == kind)
    if states:
        query = query.where(SyncRun.state.in_(states))
    return db.session.scalar(query.order_by(SyncRun.id.desc()).limit(1))
