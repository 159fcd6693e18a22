"""Invoices as documents: InvoicePdf, InvoiceMarkupHtml, InvoiceMarkupXml."""

from __future__ import annotations

import base64

from sandbox.api.context import Context
from sandbox.api.messages import Answer, answer_json, invalid
from sandbox.api.records import missing, seen
from sandbox.paper import as_html, as_pdf, as_xml
from sandbox.paper.bill import Bill, bill_of


def _bill(context: Context) -> Bill:
    with context.world.db.lock:
        row = seen(context.world, context.kind, context.ids["id"])
        if row is None:
            raise invalid(f"No matching records found for Invoice with id {context.ids['id']}.")
        return bill_of(context.world, row)


def pdf(context: Context) -> Answer:
    """FileQueryResultModel; the switches pdf_data, pdf_wrapped and pdf_missing say in which form."""
    world = context.world
    with world.db.lock:
        unknown = seen(world, context.kind, context.ids["id"]) is None
    if unknown and world.switches.pdf_missing != "500":
        return missing(world, world.switches.pdf_missing)
    bill = _bill(context)
    data = as_pdf.pdf(bill)
    found = {
        "id": bill.id,
        "contentType": "application/pdf",
        "fileName": f"Invoice_{bill.number}.pdf",
        "fileSize": len(data),
        "data": list(data) if world.switches.pdf_data == "bytes" else base64.b64encode(data).decode(),
    }
    return answer_json({"item": found} if world.switches.pdf_wrapped else found)


def markup_html(context: Context) -> Answer:
    return answer_json({"invoiceMarkup": as_html.html(_bill(context))})


def markup_xml(context: Context) -> Answer:
    return answer_json({"invoiceMarkup": as_xml.xml(_bill(context))})
