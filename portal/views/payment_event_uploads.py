"""What became of many payments, from a CSV file: choose it, look at every row, record all of them at once."""

from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal import formatters, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.payment_upload import RecordForm, UploadForm
from portal.payments import event_upload, upload_file, written_days
from portal.payments.idempotency import KeyReused
from portal.payments.upload_file import UnreadableFile
from portal.payments.written_days import Order
from portal.web import htmx

pages = Blueprint("payment_event_uploads", __name__, url_prefix="/p/<partner_slug>/payments/happened/upload")

USED_KEY = "These rows were changed after they were recorded. Choose the file once more."


@pages.get("")
@requires(Permission.DELETE_PAYMENTS)
def new() -> Any:
    return render_template("payment_event_uploads/new.html", form=_chooser())


@pages.post("")
@requires(Permission.DELETE_PAYMENTS)
@redraws_form
def preview() -> Any:
    form = UploadForm()
    if not form.validate():
        return render_template("payment_event_uploads/new.html", form=form), 422
    try:
        words = upload_file.decoded(form.file.data.read(upload_file.MOST_BYTES + 1))
        shown = event_upload.preview(words, Order(form.order.data))
    except UnreadableFile as fault:
        form.file.errors = [str(fault)]
        return render_template("payment_event_uploads/new.html", form=form), 422
    record = RecordForm(formdata=None, words=words, order=form.order.data)
    record.begin_anew()
    return _preview(record, shown)


@pages.post("/record")
@requires(Permission.DELETE_PAYMENTS)
@redraws_form
def create() -> Any:
    form = RecordForm()
    ready = form.validate() and form.has_key
    try:
        shown = _looked_at(form)
        made = ready and event_upload.record(g.actor, shown, key=form.key.data)
    except (UnreadableFile, KeyReused) as fault:
        db.session.rollback()
        again = _chooser()
        again.file.errors = list(form.form_errors) or [
            USED_KEY if isinstance(fault, KeyReused) else str(fault)
        ]
        return render_template("payment_event_uploads/new.html", form=again), 422
    if not made:
        db.session.rollback()
        return _preview(form, _looked_at(form), 422)
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"What became of {formatters.plural(made, 'payment')} is recorded.", "success")
    return htmx.redirect(url_for("payments.index", show="all"))


def _chooser() -> UploadForm:
    return UploadForm(
        formdata=None, order=written_days.usual(g.partner.time_zone, g.partner.default_currency).value
    )


def _looked_at(form: RecordForm) -> event_upload.Preview:
    order = form.order.data if form.order.data in set(Order) else Order.YEAR_FIRST
    return event_upload.preview(form.words.data or "", Order(order))


def _preview(form: RecordForm, shown: event_upload.Preview, status: int = 200) -> Any:
    return render_template("payment_event_uploads/preview.html", form=form, shown=shown), status
