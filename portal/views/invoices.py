"""Invoices: the list, one invoice, its PDF."""

from datetime import date
from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.models import Customer, Integration, Invoice, SyncKind, SyncTrigger
from portal.money import rounded
from portal.queries import currencies, history, invoice_detail, invoice_lists, invoice_pdf, invoices, paging
from portal.serializers import paid_on
from portal.storage import StorageFailed
from portal.sync import runs, wanted_pdfs
from portal.web import downloads, exports, htmx, limits

pages = Blueprint("invoices", __name__, url_prefix="/p/<partner_slug>/invoices")

COLUMNS = (
    "Number", "Autotask ID", "Customer", "Issued", "Due", "Currency", "Amount due", "Paid", "Credited",
    "Settled in Autotask", "Outstanding", "Status", "Agreement",
)  # fmt: skip


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = invoices.filter_from(request.args, today())
    return htmx.render(
        "invoices/index.html",
        "invoices/_table.html",
        chosen=chosen,
        listed=invoices.page(chosen),
        of_customer=find_or_404(Customer, chosen.customer_id) if chosen.customer_id else None,
        totals=currencies.main_first(invoices.totals(chosen), lambda total: total.invoices),
    )


@pages.get("/export.csv")
@requires(Permission.EXPORT)
def export() -> Any:
    chosen = invoices.filter_from(request.args, today())
    return exports.send(exports.Table("invoices.csv", COLUMNS, invoices.every(chosen), _cells))


@pages.get("/<int:invoice_id>")
@requires(Permission.VIEW)
def show(invoice_id: int) -> Any:
    detail = invoice_detail.find(invoice_id)
    getting_pdf = request.args.get("getting") == "pdf"
    return htmx.render(
        "invoices/show.html",
        "invoices/_detail.html",
        detail=detail,
        getting_pdf=getting_pdf,
        paid_on=paid_on(detail.invoice, detail.delivery),
        today=today(),
    )


@pages.get("/<int:invoice_id>/history", endpoint="history")
@requires(Permission.VIEW)
def whole_history(invoice_id: int) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    return htmx.render(
        "history/show.html",
        "history/_table.html",
        page=history.page(invoice_detail.history_of(invoice_id), request.args),
        name=f"invoice {invoice.number}",
        record_url=url_for("invoices.show", invoice_id=invoice_id),
        list_name="Invoices",
        list_url=url_for("invoices.index"),
    )


@pages.get("/<int:invoice_id>/lines")
@requires(Permission.VIEW)
def lines(invoice_id: int) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    return _rows(
        invoice, "Lines", "invoices/_line_row.html", invoice_lists.page_of_lines(invoice_id, request.args),
        ["What", ("Date", "date"), ("Quantity", "num"),
         *((f"{name}, {invoice.currency}", "num") for name in ("Rate", "Tax", "Price"))],
    )  # fmt: skip


@pages.get("/<int:invoice_id>/credits")
@requires(Permission.VIEW)
def credits(invoice_id: int) -> Any:
    invoice = find_or_404(Invoice, invoice_id)
    return _rows(
        invoice, "Credits", "invoices/_credit_row.html", invoice_lists.page_of_credits(invoice_id, request.args),
        [("Applied on", "date"), "How", "Other invoice", "In Autotask", (f"Amount, {invoice.currency}", "num"),
         ("Actions", "action")],
    )  # fmt: skip


def _rows(invoice: Invoice, what: str, row: str, page: paging.Page, columns: list[Any]) -> Any:
    """All of what the page of the invoice shows the beginning of."""
    return htmx.render(
        "invoices/all_rows.html", "invoices/_all_rows.html", i=invoice, what=what, row=row, page=page, columns=columns
    )  # fmt: skip


@pages.get("/<int:invoice_id>/pdf")
@requires(Permission.VIEW)
def pdf(invoice_id: int) -> Any:
    """The printed invoice, in the browser; back to the invoice where it is not here."""
    invoice = find_or_404(Invoice, invoice_id)
    try:
        found = invoice_pdf.data(invoice_id)
    except StorageFailed as failure:
        flash(str(failure), "error")
        return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))
    if found is None or not downloads.is_pdf(found.data):
        flash(f"The PDF of invoice {invoice.number} is not here yet.", "warning")
        return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))
    return downloads.pdf(found.name, found.data)


@pages.post("/<int:invoice_id>/pdf")
@requires(Permission.VIEW)
def fetch_pdf(invoice_id: int) -> Any:
    """Gets an older invoice's PDF from Autotask because a person opens it."""
    invoice = find_or_404(Invoice, invoice_id)
    integration = invoice_detail.integration_of(invoice)
    if integration is None or not integration.is_connected:
        flash("Autotask is not connected, so the PDF cannot be fetched.", "warning")
        return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))
    if invoice.missing_since is not None:
        flash("The invoice is no longer in Autotask, so Autotask has no PDF of it.", "warning")
        return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))
    try:
        if not invoice_pdf.is_under_way(invoice_id):
            _start_fetching(invoice, integration)
    except limits.TooMany as wait:
        flash(wait.description or "", "warning")
        return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id))
    return htmx.redirect(url_for("invoices.show", invoice_id=invoice_id, getting="pdf", _anchor="facts"))


def _start_fetching(invoice: Invoice, integration: Integration) -> None:
    often = f"The PDF of {invoice.number} was asked for often enough for now."
    limits.take(
        limits.PDF_PERSON, g.partner.id, g.true_user.id, what="You asked for many PDFs in the last hour."
    )
    limits.take(limits.PDF_INVOICE, g.partner.id, invoice.id, what=often)
    wanted_pdfs.want_one(invoice)
    run = runs.start(integration, SyncKind.PDFS, SyncTrigger.BUTTON, g.actor)
    db.session.commit()
    runs.ring(run)


def today() -> date:
    """The partner's own day."""
    return clock.today(g.partner.time_zone)


def _cells(row: Invoice) -> tuple[object, ...]:
    amounts = (row.amount_due, row.paid_amount, row.credited_amount, row.settled_amount, row.owed)
    return (
        row.number,
        row.autotask_id,
        row.customer.name,
        row.issued_on,
        row.due_on,
        row.currency,
        *(rounded(amount, row.currency) for amount in amounts),
        row.status,
        row.agreement,
    )
