"""The life of a sync run: started once, claimed by lease, taken up again, ended. PostgreSQL's clock rules.

None of these commits unless it says so.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, text, update
from sqlalchemy.dialects.postgresql import insert

from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db, rows_written
from portal.models import INCOMPLETE, Integration, SyncKind, SyncRun, SyncTrigger
from portal.queue import SYNCS, bell
from portal.sync import counts

KINDS: dict[str, str] = {
    SyncKind.ALL: "Everything",
    SyncKind.NEW: "New data",
    SyncKind.UNPAID: "Unpaid invoices",
    SyncKind.CUSTOMERS: "All customers",
    SyncKind.PDFS: "PDF invoices",
}
RUN_JOB = "jobs.sync.run_sync"


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


def ring_all(keys: Iterable[tuple[int, int]]) -> None:
    """The same for many (tenant id, run id), once each; the rest is not tried after one that was lost."""
    for tenant_id, run_id in dict.fromkeys(keys):
        if not bell(SYNCS, RUN_JOB, tenant_id, run_id):
            break


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


def last(integration_id: int, kind: str, *states: str) -> SyncRun | None:
    """The newest run of a kind, of these states if any are named."""
    query = scoped(SyncRun).where(SyncRun.integration_id == integration_id, SyncRun.kind == kind)
    if states:
        query = query.where(SyncRun.state.in_(states))
    return db.session.scalar(query.order_by(SyncRun.id.desc()).limit(1))
