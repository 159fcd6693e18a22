"""Reads single records again because a person asks: at the beginning of a run of new data."""

from sqlalchemy import select

from portal.access.actor import Actor
from portal.autotask.client import Client
from portal.extensions import db
from portal.models import Integration, RunState, SyncKind, SyncRun, SyncTrigger
from portal.sync import read_pages, runs
from portal.sync.checkpoint import Checkpoint
from portal.sync.current_run import Running
from portal.sync.resources import CONTACTS, CUSTOMERS, INVOICES, SINGLE_LINES, Resource

RESOURCES: dict[str, Resource] = {
    "customer": CUSTOMERS,
    "contact": CONTACTS,
    "invoice": INVOICES,
    "line": SINGLE_LINES,
}


def start(actor: Actor, integration: Integration, subject: str, key: str) -> SyncRun | None:
    """A run that reads this record first; None while one is reading already. The caller commits, then rings."""
    run = runs.start(integration, SyncKind.NEW, SyncTrigger.RETRY, actor)
    held = db.session.scalar(
        select(SyncRun)
        .where(SyncRun.tenant_id == run.tenant_id, SyncRun.id == run.id, SyncRun.state == RunState.WAITING)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if held is None:
        return None
    if subject in RESOURCES and key.isdigit():
        checkpoint = Checkpoint.of(held.checkpoint)
        checkpoint.reread[subject] = sorted({*checkpoint.reread.get(subject, []), int(key)})
        held.checkpoint = checkpoint.as_json()
        db.session.flush()
    return held


def wanted(running: Running, client: Client) -> None:
    """Reads what was asked for by id; what Autotask no longer has closes its exception with the next full read."""
    for subject, ids in running.checkpoint.reread.items():
        read_pages.read_by_id(running, client, f"{subject} again", RESOURCES[subject], ids)
