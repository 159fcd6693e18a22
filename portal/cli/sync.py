import time
from datetime import datetime, timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import func, select

from portal import connect, serializers
from portal.access.tenancy import scoped, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Integration, RunState, SyncKind, SyncRun, SyncTrigger
from portal.sync import manual, perform, runs

LONGEST_PAUSE = timedelta(minutes=2)
LOOK_EVERY = 0.3

commands = AppGroup("sync", help="Bring customers, contacts, invoices, lines and PDFs in.")


@commands.command("run")
@click.argument("slug")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in SyncKind]),
    default=SyncKind.NEW.value,
    show_default=True,
)
@click.option("--wait", is_flag=True, help="Stay until the run has ended; without a worker, do it here.")
@click.option("--force", is_flag=True, help="Ignore how often a sync may be started by hand. Audited.")
def run(slug: str, kind: str, wait: bool, force: bool) -> None:
    """Starts a sync, or takes the one under way, and prints the run as one JSON object."""
    with tenant_scope(lookup.partner(slug).id):
        started = _start(_integration(slug), kind, force)
        if not wait:
            runs.ring(started)
            lookup.answer(serializers.sync_run(started))
            return
        ended = _until_ended(started.id)
        lookup.answer(serializers.sync_run(ended))
        if ended.state != RunState.COMPLETED:
            raise SystemExit(1)


@commands.command("runs")
@click.argument("slug")
@lookup.json_lines
def list_all(slug: str) -> None:
    """A partner's runs, oldest first, one JSON object a line."""
    with tenant_scope(lookup.partner(slug).id):
        rows = db.session.scalars(scoped(SyncRun).order_by(SyncRun.id))
        lookup.answer_all(serializers.sync_run(row) for row in rows)


def _integration(slug: str) -> Integration:
    integration = connect.current()
    if integration is None:
        lookup.refuse(f"{slug} has no integration yet. Connect Autotask first.")
    return integration


def _start(integration: Integration, kind: str, force: bool) -> SyncRun:
    try:
        started = manual.press(integration, kind, SyncTrigger.COMMAND, lookup.OPERATOR, forced=force)
    except manual.Refused as refusal:
        lookup.refuse(str(refusal))
    db.session.commit()
    return started


def _until_ended(run_id: int) -> SyncRun:
    """Works on the run here unless a worker has it; gives up waiting when it is put off for long."""
    while True:
        perform.perform(run_id)
        found, now = runs.get(run_id), _now()
        db.session.commit()
        if not found.is_incomplete or (found.next_try_at and found.next_try_at - now > LONGEST_PAUSE):
            return found
        time.sleep(LOOK_EVERY)


def _now() -> datetime:
    return db.session.execute(select(func.clock_timestamp())).scalar_one()
