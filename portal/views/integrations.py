"""What is connected, how to connect it, and whether it keeps its promise."""

from typing import Any

from flask import Blueprint, abort, current_app, flash, g, render_template, url_for

from portal import connect, formatters
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.autotask.errors import AutotaskError
from portal.connect import sync_minutes
from portal.extensions import db
from portal.forms.integration import (
    ConnectForm,
    CredentialsForm,
    DisconnectForm,
    IdentifierForm,
    TotalsForm,
)
from portal.models import Integration, SyncKind, SyncTrigger
from portal.queries import needs, sync_runs
from portal.queries.integration import ever_started, overview, readable
from portal.reconcile import waiting_together
from portal.sync import filter_choices, promises, runs, sentences
from portal.web import htmx

pages = Blueprint("integrations", __name__, url_prefix="/p/<partner_slug>/integrations")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return render_template("integrations/index.html", about=overview(connect.current()))


@pages.get("/autotask")
@requires(Permission.VIEW)
def show() -> Any:
    return _page(_found())


@pages.get("/autotask/connect")
@requires(Permission.CREDENTIALS)
@fresh
def new() -> Any:
    known = connect.current()
    return render_template("integrations/new.html", form=ConnectForm(formdata=None, obj=known), known=known)


@pages.post("/autotask/connect")
@requires(Permission.CREDENTIALS)
@redraws_form
@fresh
def create() -> Any:
    form, known = ConnectForm(), connect.current()
    if known is not None:
        form.role.data = known.role  # another one is previewed first
    read_before = _was_read(known)
    start = not form.filters_first.data or read_before
    if not form.validate() or not _connected(form, form.request, start=start):
        return render_template("integrations/new.html", form=form, known=connect.current()), 422
    if not start:
        _read_choices(_found())
        flash("Autotask is connected. Choose what comes in; then the first sync starts.", "success")
        return htmx.redirect(url_for("filters.show"))
    again = "Autotask is connected again; all that was read is kept. A full sync has started."
    flash(again if read_before else "Autotask is connected. The first sync has started.", "success")
    return htmx.redirect(url_for("integrations.show"))


@pages.post("/autotask/first-sync")
@requires(Permission.RUN_SYNCS)
def start_first() -> Any:
    integration = _found()
    if overview(integration).may_start_first:
        sync_minutes.plan(integration)
        run = runs.start(integration, SyncKind.ALL, SyncTrigger.CONNECT, g.actor)
        db.session.commit()
        runs.ring(run)
    return htmx.redirect(url_for("integrations.show"))


@pages.get("/autotask/credentials")
@requires(Permission.CREDENTIALS)
@fresh
def edit() -> Any:
    integration = _found()
    form = CredentialsForm(formdata=None, data={"email": integration.email, "username": integration.username})
    return render_template("integrations/edit.html", form=form, about=overview(integration))


@pages.post("/autotask/credentials")
@requires(Permission.CREDENTIALS)
@redraws_form
@fresh
def update() -> Any:
    integration, form = _found(), CredentialsForm()
    start = _was_read(integration)  # else the first sync still waits for its filters
    if not form.validate() or not _connected(form, lambda: form.request_for(integration), start=start):
        return render_template("integrations/edit.html", form=form, about=overview(_found())), 422
    flash("Autotask accepts the new key and secret. Everything that was read is kept.", "success")
    return htmx.redirect(url_for("integrations.show"))


@pages.post("/autotask/test")
@requires(Permission.CREDENTIALS)
def test() -> Any:
    try:
        verified = connect.test_connection(g.actor, _found())
    except (connect.ConnectRefused, connect.NotConnected) as refusal:
        for sentence in getattr(refusal, "sentences", [str(refusal)]):
            flash(sentence, "error")
    else:
        flash("Autotask accepts the key and secret, and the API user may read all that is needed.", "success")
        waiting_together.mended()
        _tell(verified)
    return htmx.redirect(url_for("integrations.show"))


@pages.post("/autotask/identifier")
@requires(Permission.SET_FILTERS)
def set_identifier() -> Any:
    integration, form = _found(), IdentifierForm()
    if not form.validate():
        return _page(integration, identifier_form=form, status=422)
    changed = connect.set_identifier(g.actor, integration, form.identifier.data)
    db.session.commit()
    words = f"{formatters.count(changed)} invoices are shown by another number now."
    secondary = "The next sync looks for invoices by it."
    flash(f"Saved. {words if integration.is_primary else secondary}", "success")
    return htmx.redirect(url_for("integrations.show"))


@pages.post("/autotask/totals")
@requires(Permission.SET_FILTERS)
def set_totals() -> Any:
    integration, form = _found(), TotalsForm()
    if not form.validate():
        return _page(integration, totals_form=form, status=422)
    changed = connect.set_totals_mode(g.actor, integration, form.totals_mode.data)
    db.session.commit()
    flash(f"Saved. What is owed changed on {formatters.count(changed)} invoices.", "success")
    return htmx.redirect(url_for("integrations.show"))


@pages.get("/autotask/disconnect")
@requires(Permission.CREDENTIALS)
@fresh
def ask_disconnect() -> Any:
    return _disconnect_page(DisconnectForm(formdata=None))


@pages.post("/autotask/disconnect")
@requires(Permission.CREDENTIALS)
@fresh
def disconnect() -> Any:
    integration, form = _found(), DisconnectForm()
    if not form.validate():
        return _disconnect_page(form, status=422)
    connect.disconnect(g.actor, integration)
    db.session.commit()
    flash("Autotask is disconnected. Its secret was deleted here; all that was read stays.", "success")
    return htmx.redirect(url_for("integrations.index"))


def _connected(form: CredentialsForm, request: Any, *, start: bool = True) -> bool:
    """Tests, saves and starts a full read; False with the reasons in the form when Autotask refuses."""
    typed, known = request(), connect.known_customers()
    db.session.commit()
    try:
        verified = connect.check(typed, current_app.config, known)
    except connect.ConnectRefused as refusal:
        form.show(refusal)
        return False
    integration = connect.save_connection(g.actor, typed, verified, planned=start)
    run = runs.start(integration, SyncKind.ALL, SyncTrigger.CONNECT, g.actor) if start else None
    db.session.commit()
    if run is not None:
        runs.ring(run)
    waiting_together.mended()
    _tell(verified)
    return True


def _read_choices(integration: Integration) -> None:
    """For the page of filters that comes next; it says so where that was not possible, and offers it again."""
    try:
        filter_choices.choices(integration, anew=True)
    except AutotaskError:
        db.session.rollback()


def _was_read(integration: Integration | None) -> bool:
    return integration is not None and ever_started(integration)


def _tell(verified: connect.Verified) -> None:
    for note in verified.notes:
        flash(note, "warning")


def _found() -> Integration:
    return connect.current() or abort(404, "Autotask was never connected here.")


def _page(integration: Integration, *, status: int = 200, **forms: Any) -> Any:
    forms.setdefault("identifier_form", IdentifierForm(formdata=None, obj=integration))
    forms.setdefault("totals_form", TotalsForm(formdata=None, obj=integration))
    rows = promises.table(integration, unconfirmed=needs.now().groups)
    about = overview(integration)
    if about.first_run is not None:
        forms.update(first=sync_runs.detail(about.first_run), first_told=sentences.of_run(about.first_run))
    forms.update(promises=rows, promise_sentence=promises.sentence(rows, integration))
    return render_template("integrations/show.html", about=about, **forms), status


def _disconnect_page(form: DisconnectForm, status: int = 200) -> Any:
    about, owed = overview(_found()), connect.owed_deliveries()
    page = "integrations/disconnect.html"
    return render_template(page, form=form, about=about, owed=owed, readable=readable()), status
