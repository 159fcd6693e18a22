"""What comes in? Filters with the partner's own choices, and a preview before anything is saved."""

import hashlib
import json
from typing import Any

from flask import Blueprint, abort, flash, g, render_template, url_for

from portal import connect
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.autotask.errors import AutotaskError
from portal.autotask.filters import SyncFilters
from portal.connect import sync_minutes
from portal.extensions import db
from portal.forms.filters import FiltersForm
from portal.models import Integration, SyncKind, SyncTrigger
from portal.sync import filter_choices, filter_preview, runs, sentences
from portal.web import htmx

pages = Blueprint("filters", __name__, url_prefix="/p/<partner_slug>/integrations/autotask/filters")


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    integration = _found()
    form = FiltersForm(formdata=None)
    form.show(SyncFilters.from_dict(integration.filters))
    _show_choices(integration, form)
    return _page(integration, form)


@pages.post("/choices")
@requires(Permission.SET_FILTERS)
def read_choices() -> Any:
    """Reads the partner's choices from Autotask anew; what was typed stays."""
    integration, form = _found(), FiltersForm()
    trouble = _offer(integration, form, anew=True)
    return _page(_found(), form, trouble=trouble, status=503 if trouble else 200)


@pages.post("/preview")
@requires(Permission.SET_FILTERS)
@redraws_form
def preview() -> Any:
    integration, form = _found(), FiltersForm()
    return _preview(integration, form)


@pages.post("")
@requires(Permission.SET_FILTERS)
@redraws_form
def update() -> Any:
    """Saves what was previewed; other values are previewed first."""
    integration, form = _found(), FiltersForm()
    _offer(integration, form)
    chosen = form.chosen() if form.validate() else None
    if chosen is None or form.previewed.data != _digest(chosen):
        return _preview(integration, form)
    changed = filter_choices.save(g.actor, integration, chosen)
    run = _first_run(integration)
    db.session.commit()
    if run is not None:
        runs.ring(run)
        return htmx.redirect(url_for("integrations.show"))
    words = (
        "Saved. The next sync works by these filters." if changed else "These filters were in force already."
    )
    flash(words, "success")
    return htmx.redirect(url_for("filters.show"))


def _preview(integration: Integration, form: FiltersForm) -> Any:
    trouble = _offer(integration, form)
    chosen = form.chosen() if form.validate() else None
    if chosen is None:
        return _page(integration, form, trouble=trouble, status=422)
    try:
        found = filter_preview.of(integration, chosen)
    except AutotaskError as error:
        db.session.rollback()
        return _page(_found(), form, trouble=str(error), status=503)
    form.previewed.data = _digest(chosen)
    return _page(
        _found(),
        form,
        preview=found,
        headline=sentences.of_preview(found),
        preview_notes=sentences.notes_of_preview(found),
        wanted=sentences.of_filters(chosen.to_dict(), integration),
    )


def _page(integration: Integration, form: FiltersForm, *, status: int = 200, **context: Any) -> Any:
    context.setdefault("trouble", None)
    context.setdefault("preview", None)
    context.update(choices_read_at=filter_choices.read_at(integration))
    now = sentences.of_filters(integration.filters, integration)
    first = runs.last(integration.id, SyncKind.ALL) is None
    return (
        render_template(
            "filters/show.html", form=form, integration=integration, in_force=now, first=first, **context
        ),
        status,
    )


def _offer(integration: Integration, form: FiltersForm, *, anew: bool = False) -> str | None:
    """Gives the form the partner's picklists, read from Autotask where they are old; why not, or None."""
    trouble = None
    try:
        filter_choices.choices(integration, anew=anew)
    except AutotaskError as error:
        db.session.rollback()
        trouble = str(error)
    _show_choices(integration, form)
    return trouble


def _show_choices(integration: Integration, form: FiltersForm) -> None:
    """What was last read of them: looking at the page asks nobody and changes nothing."""
    held = filter_choices.stored(integration)
    form.offer(held, SyncFilters.from_dict(integration.filters))
    form.contact_fields = held.get("contact_fields", [])


def _first_run(integration: Integration) -> Any:
    """The first full read, where choosing filters was the last step of connecting."""
    if runs.last(integration.id, SyncKind.ALL) is not None or not integration.is_connected:
        return None
    sync_minutes.plan(integration)
    return runs.start(integration, SyncKind.ALL, SyncTrigger.CONNECT, g.actor)


def _digest(chosen: SyncFilters) -> str:
    return hashlib.sha256(json.dumps(chosen.to_dict(), sort_keys=True).encode()).hexdigest()[:32]


def _found() -> Integration:
    return connect.current() or abort(404, "Autotask was never connected here.")
