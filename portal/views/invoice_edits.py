"""Invoices made in the portal, and changes to unpaid ones. Nothing of it goes to Autotask (rules 3.7 and 3.8)."""

from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for
from wtforms.fields.choices import SelectChoice

from portal import clock, connect, formatters, own_records
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.own_records import ChangeForm, InvoiceForm
from portal.models import Customer, DeliveryState, Invoice
from portal.own_records import NewInvoice
from portal.queries import cut, invoice_detail
from portal.queries.own_records import customers
from portal.web import htmx
from portal.web.refusable import accepted

pages = Blueprint("invoice_edits", __name__, url_prefix="/p/<partner_slug>/invoice-edits")


@pages.get("/new")
@requires(Permission.EDIT_RECORDS)
def new() -> Any:
    form = InvoiceForm(formdata=None, issued_on=clock.today(g.partner.time_zone))
    form.customer_id.data = request.args.get("customer_id", type=int)
    return _new_page(form)


@pages.post("/new")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def create() -> Any:
    form = InvoiceForm()
    _offer(form)
    invoice = _made(form) if form.validate() else None
    if invoice is None:
        return _new_page(form, 422)
    later = "The next sync looks for its counterpart in Autotask, to tell it there when it is paid."
    goes_on = (
        later if connect.matches_invoices(connect.current()) else "It stays here and never goes to Autotask."
    )
    flash(f"Invoice {invoice.number} was made. {goes_on}", "success")
    return htmx.redirect(url_for("invoices.show", invoice_id=invoice.id))


@pages.get("/<int:invoice_id>")
@requires(Permission.EDIT_RECORDS)
def edit(invoice_id: int) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    amount = formatters.as_typed(invoice.amount_due, invoice.currency)
    return _edit_page(
        invoice, ChangeForm(formdata=None, data={"amount_due": amount, "due_on": invoice.due_on})
    )


@pages.post("/<int:invoice_id>")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def update(invoice_id: int) -> Any:
    invoice, form = find_or_404(Invoice, invoice_id), ChangeForm()
    amount = form.amount("amount_due", invoice.currency) if form.validate() else None
    if amount is None or not _changed(form, invoice, amount):
        return _edit_page(invoice, form, 422)
    flash("Saved here. Autotask was not told.", "success")
    return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))


@pages.post("/<int:invoice_id>/archive")
@requires(Permission.ARCHIVE)
def archive(invoice_id: int) -> Any:
    return _put(invoice_id, own_records.archive, "Archived. It can be taken back at any time.")


@pages.post("/<int:invoice_id>/restore")
@requires(Permission.ARCHIVE)
def restore(invoice_id: int) -> Any:
    return _put(invoice_id, own_records.restore, "Taken out of the archive.")


def _put(invoice_id: int, step: Any, words: str) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    step(g.actor, "invoice", [invoice.id])
    db.session.commit()
    delivery = invoice_detail.delivery_of(invoice_id)
    if delivery is not None and delivery.state == DeliveryState.CLOSED:
        words += " It is not in Autotask any more, so what Autotask was still to be told about it is closed."
    flash(words, "success")
    return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))


def _made(form: InvoiceForm) -> Invoice | None:
    customer = db.session.get(Customer, (g.partner.id, form.customer_id.data)) or abort(404)
    amount = form.amount("amount_due", customer.currency)
    tax = form.amount("tax", customer.currency, Decimal(0))
    if amount is None or tax is None:
        return None
    days = {"issued_on": form.issued_on.data, "due_on": form.due_on.data}
    new = NewInvoice(
        customer.id, form.number.data, **days, amount=amount, tax=tax, comments=form.comments.data
    )
    invoice = accepted(form, lambda: own_records.create_invoice(g.actor, new))
    db.session.commit()
    return invoice


def _changed(form: ChangeForm, invoice: Invoice, amount: Decimal) -> bool:
    done = accepted(form, lambda: own_records.change_invoice(g.actor, invoice, amount, form.due_on.data))
    db.session.commit()
    return done is not None


def _offer(form: InvoiceForm) -> cut.Some:
    """Fills in the customers to choose from; those that are left out can be chosen on their own pages."""
    found = customers(form.customer_id.data)
    form.customer_id.choices = [SelectChoice(row.id, f"{row.name} ({row.currency})") for row in found]
    return found


def _new_page(form: InvoiceForm, status: int = 200) -> Any:
    offered = _offer(form)
    matched_later = connect.matches_invoices(connect.current())
    page = render_template("invoice_edits/new.html", form=form, matched_later=matched_later, offered=offered)
    return page, status


def _edit_page(invoice: Invoice, form: ChangeForm, status: int = 200) -> Any:
    db.session.refresh(invoice)
    return render_template("invoice_edits/edit.html", form=form, invoice=invoice), status
