"""What became of many payments, from a CSV file: choose it, look at every row, record all of them at once."""

from itertools import islice
from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal import formatters, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.payment_upload import RecordForm, UploadForm
from portal.payments import event_upload
from portal.payments.idempotency import KeyReused
from portal.payments.upload_file import UnreadableFile
from portal.queries import cut
from portal.web import htmx

pages = Blueprint("payment_event_uploads", __name__, url_prefix="/p/<partner_slug>/payments/happened/upload")

MOST_SHOWN = 200
USED_KEY = "These rows were changed after they were recorded. Choose the file once more."


@pages.get("")
@requires(Permission.DELETE_PAYMENTS)
def new() -> Any:
    return render_template("payment_event_uploads/new.html", form=UploadForm.empty())


@pages.post("")
@requires(Permission.DELETE_PAYMENTS)
@redraws_form
def preview() -> Any:
    form = UploadForm()
    if not form.validate():
        return render_template("payment_event_uploads/new.html", form=form), 422
    try:
        words, order = form.read()
        shown = event_upload.preview(words, order)
    except UnreadableFile as fault:
        form.file.errors = [str(fault)]
        return render_template("payment_event_uploads/new.html", form=form), 422
    return _preview(RecordForm.of(words, order), shown)


@pages.post("/record")
@requires(Permission.DELETE_PAYMENTS)
@redraws_form
def create() -> Any:
    form = RecordForm()
    ready = form.validate() and form.has_key
    try:
        shown = event_upload.preview(*form.read())
        made = ready and event_upload.record(g.actor, shown, key=form.key.data)
    except (UnreadableFile, KeyReused) as fault:
        db.session.rollback()
        again = UploadForm.empty()
        again.file.errors = list(form.form_errors) or [
            USED_KEY if isinstance(fault, KeyReused) else str(fault)
        ]
        return render_template("payment_event_uploads/new.html", form=again), 422
    if not made:
        db.session.rollback()
        return _preview(form, event_upload.preview(*form.read()), 422)
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"What became of {formatters.plural(made, 'payment')} is recorded.", "success")
    return htmx.redirect(url_for("payments.index", show="all"))


def _preview(form: RecordForm, shown: event_upload.Preview, status: int = 200) -> Any:
    listed = cut.Some(list(islice(shown.in_order, MOST_SHOWN)), len(shown.rows))
    return render_template(
        "payment_event_uploads/preview.html", form=form, shown=shown, listed=listed
    ), status
