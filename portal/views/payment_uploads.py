"""Many payments from a CSV file: choose it, look at every row, record all of them at once."""

from itertools import islice
from typing import Any

from flask import Blueprint, flash, g, render_template, url_for

from portal import formatters, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.forms.payment_upload import RecordForm, UploadForm
from portal.payments import upload, upload_file, written_days
from portal.payments.idempotency import KeyReused
from portal.payments.upload_file import UnreadableFile
from portal.payments.written_days import Order
from portal.queries import cut
from portal.web import htmx

pages = Blueprint("payment_uploads", __name__, url_prefix="/p/<partner_slug>/payments/upload")

MOST_SHOWN = 200
USED_KEY = "These payments were changed after they were recorded. Choose the file once more."


@pages.get("")
@requires(Permission.RECORD_PAYMENTS)
def new() -> Any:
    return render_template("payment_uploads/new.html", form=_chooser())


@pages.post("")
@requires(Permission.RECORD_PAYMENTS)
@redraws_form
def preview() -> Any:
    form = UploadForm()
    if not form.validate():
        return render_template("payment_uploads/new.html", form=form), 422
    try:
        words = upload_file.decoded(form.file.data.read(upload_file.MOST_BYTES + 1))
        shown = upload.preview(words, Order(form.order.data))
    except UnreadableFile as fault:
        form.file.errors = [str(fault)]
        return render_template("payment_uploads/new.html", form=form), 422
    record = RecordForm(formdata=None, words=words, order=form.order.data)
    record.begin_anew()
    return _preview(record, shown)


@pages.post("/record")
@requires(Permission.RECORD_PAYMENTS)
@redraws_form
def create() -> Any:
    form = RecordForm()
    try:
        shown = _looked_at(form)
        confirmed = form.confirms(shown.old_days)
        ready = form.validate() and form.has_key
        made = ready and upload.record(g.actor, shown, key=form.key.data, old_confirmed=confirmed)
    except (UnreadableFile, KeyReused) as fault:
        db.session.rollback()
        again = _chooser()
        again.file.errors = [USED_KEY if isinstance(fault, KeyReused) else str(fault)]
        return render_template("payment_uploads/new.html", form=again), 422
    if not made:
        db.session.rollback()
        return _preview(form, _looked_at(form), 422)
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"{formatters.plural(made, 'payment')} recorded.", "success")
    return htmx.redirect(url_for("payments.index"))


def _chooser() -> UploadForm:
    return UploadForm(
        formdata=None, order=written_days.usual(g.partner.time_zone, g.partner.default_currency).value
    )


def _looked_at(form: RecordForm) -> upload.Preview:
    order = form.order.data if form.order.data in set(Order) else Order.YEAR_FIRST
    return upload.preview(form.words.data or "", Order(order))


def _preview(form: RecordForm, shown: upload.Preview, status: int = 200) -> Any:
    asks = status != 200 and bool(shown.old_days) and not form.confirms(shown.old_days)
    listed = cut.Some(list(islice(shown.in_order, MOST_SHOWN)), len(shown.rows))
    return render_template(
        "payment_uploads/preview.html", form=form, shown=shown, listed=listed, asks=asks
    ), status
