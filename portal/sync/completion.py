"""How a run that read everything ends: cursors move last, with what only a whole read may say (rule 3.3)."""

from datetime import datetime

from portal import attention
from portal.extensions import db
from portal.models import Cause, SyncKind
from portal.sync import cursors, seen
from portal.sync.checkpoint import Checkpoint
from portal.sync.current_run import Running
from portal.sync.resources import CONTACTS, CUSTOMERS, INVOICES


def complete(running: Running) -> None:
    """Cursors and completion are one transaction. Raises LeaseLost or Cancelled."""
    running.finish()
    move_cursors(running)
    if running.memory.has_failed:
        attention.close_items(Cause.SYNC_FAILED, "sync_run", [running.task.kind])
    for subject in completely_read(running.task.kind, running.checkpoint):
        running.bad.not_seen_again(subject)
    db.session.commit()


def move_cursors(running: Running) -> None:
    """The last thing a run writes, together with its completion. The caller commits."""
    if not running.task.integration.is_primary:
        return
    whole = running.task.kind == SyncKind.ALL or running.checkpoint.everything
    read = running.checkpoint.steps.get("invoices")
    if read is not None and read.complete and not read.doubted:
        unpaid = running.task.kind == SyncKind.UNPAID
        seen.forget_older(running.task.integration.id, read.started_at, only_unpaid=unpaid)
    moved: dict[str, tuple[datetime, int | None]] = {}
    for name in ("customers", "contacts", "invoices"):
        step = running.checkpoint.steps.get(name)
        # The daily read sees only unpaid invoices, so it says nothing about new ones.
        if step is not None and step.done and (name != "invoices" or running.task.kind != SyncKind.UNPAID):
            moved[name] = step.started_at, step.last_id if name == "invoices" else None
    if whole or running.task.kind == SyncKind.NEW:
        moved["lines"] = running.checkpoint.steps["customers"].started_at, None
    cursors.move(running.task.integration.id, moved)


def completely_read(kind: str, checkpoint: Checkpoint) -> list[str]:
    """Kinds of records of which this run saw every one."""
    subjects = [
        resource.subject
        for name, resource in (("customers", CUSTOMERS), ("contacts", CONTACTS), ("invoices", INVOICES))
        if (step := checkpoint.steps.get(name)) is not None and step.done and step.complete
    ]
    if kind == SyncKind.UNPAID:
        return []
    return [*subjects, "line"] if checkpoint.all_lines else subjects
