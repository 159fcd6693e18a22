"""What happened in every sync: the list of runs, one run live and afterwards."""

from typing import Any

from flask import Blueprint, abort, flash, g, request, url_for

from portal import connect
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.models import SyncRun, SyncTrigger
from portal.queries import sync_changes, sync_runs
from portal.sync import manual, runs, sentences
from portal.web import exports, htmx

pages = Blueprint("sync_runs", __name__, url_prefix="/p/<partner_slug>/sync-runs")

COLUMNS = ("Kind", "Record", "Autotask ID", "Field", "Old value", "New value", "Changed at")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = sync_runs.filter_from(request.args)
    page = sync_runs.page(chosen)
    return htmx.render(
        "sync_runs/index.html",
        "sync_runs/_table.html",
        chosen=chosen,
        page=page,
        under_way=any(run.is_incomplete for run in page.rows),
        about=sync_runs,
    )


@pages.get("/<int:run_id>")
@requires(Permission.VIEW)
def show(run_id: int) -> Any:
    detail = sync_runs.detail(find_or_404(SyncRun, run_id))
    return htmx.render("sync_runs/show.html", "sync_runs/_detail.html", **_context(detail))


@pages.get("/<int:run_id>/changes")
@requires(Permission.VIEW)
def changes(run_id: int) -> Any:
    """The records behind one number of the run."""
    run, chosen = find_or_404(SyncRun, run_id), sync_changes.changes_from(request.args)
    return htmx.render(
        "sync_runs/changes.html",
        "sync_runs/_records.html",
        run=run,
        chosen=chosen,
        page=sync_changes.records(run.id, chosen),
        about=sync_runs,
        change_words=sync_changes,
    )


@pages.get("/<int:run_id>/changes.csv")
@requires(Permission.EXPORT)
def export(run_id: int) -> Any:
    run = find_or_404(SyncRun, run_id)
    name, changes = f"sync-{run.id}-changes.csv", sync_changes.every_change(run.id)
    return exports.send(exports.Table(name, COLUMNS, changes, _cells, sync_changes.with_names))


@pages.post("")
@requires(Permission.RUN_SYNCS)
def create() -> Any:
    """Fetch New Data or Fetch Unpaid Invoices, pressed."""
    integration = connect.current() or abort(404, "Autotask was never connected here.")
    kind = request.form.get("kind", "")
    if kind not in manual.NAMES:
        abort(400, "There is no such sync to start by hand.")
    try:
        run = manual.press(integration, kind, SyncTrigger.BUTTON, g.actor)
    except manual.Refused as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("preferences.show"))
    db.session.commit()
    runs.ring(run)
    return htmx.redirect(url_for("sync_runs.show", run_id=run.id))


@pages.post("/<int:run_id>/cancel")
@requires(Permission.RUN_SYNCS)
def cancel(run_id: int) -> Any:
    run = find_or_404(SyncRun, run_id)
    if runs.cancel(g.actor, run):
        flash("The sync stops after the page it is reading. What was read stays.", "message")
    db.session.commit()
    return htmx.redirect(url_for("sync_runs.show", run_id=run_id))


@pages.post("/<int:run_id>/retry")
@requires(Permission.RUN_SYNCS)
def retry(run_id: int) -> Any:
    run = find_or_404(SyncRun, run_id)
    if run.is_incomplete:
        return htmx.redirect(url_for("sync_runs.show", run_id=run_id))
    again = runs.retry(g.actor, run)
    db.session.commit()
    runs.ring(again)
    return htmx.redirect(url_for("sync_runs.show", run_id=again.id))


def _context(detail: sync_runs.Detail) -> dict[str, Any]:
    return {
        "detail": detail,
        "run": detail.run,
        "about": sync_runs,
        "change_words": sync_changes,
        "told": sentences.of_run(detail.run),
        "filter_sentences": sentences.of_filters(detail.run.filters, connect.current()),
    }


def _cells(change: Any) -> tuple[object, ...]:
    return (
        sync_changes.SUBJECTS.get(change.subject_type, change.subject_type),
        change.label,
        change.autotask_id,
        change.field,
        change.old_value,
        change.new_value,
        change.at,
    )
