"""The invoice as XML, with the root of Autotask's invoice export."""

from __future__ import annotations

import re
from xml.etree import ElementTree as tree

from sandbox.paper.bill import Bill

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(bill: Bill) -> str:
    """`invoice_batch_generic` with one batch and one invoice in it."""
    root = tree.Element("invoice_batch_generic")
    invoice = tree.SubElement(tree.SubElement(root, "invoice_batch"), "invoice")
    head = {
        "invoice_id": bill.id,
        "invoice_number": bill.number,
        "account_name": bill.company,
        "invoice_date": bill.issued,
        "due_date": bill.due,
        "order_number": bill.order,
        "tax_region": bill.region,
        "currency": bill.currency,
        "subtotal": bill.net,
        "total_tax": bill.tax,
        "total": bill.total,
        "voided": str(bill.is_voided).lower(),
    }
    _fill(invoice, head)
    for line in bill.lines:
        fields = {"item_date": line.date, "item_name": line.name, "description": line.text}
        amounts = {
            "quantity": line.quantity,
            "rate": line.rate,
            "extended_price": line.price,
            "tax": line.tax,
        }
        _fill(tree.SubElement(invoice, "invoice_item"), {**fields, **amounts})
    return tree.tostring(root, encoding="unicode", xml_declaration=True)


def _fill(parent: tree.Element, values: dict[str, object]) -> None:
    for name, value in values.items():
        tree.SubElement(parent, name).text = NOT_XML.sub("", str(value))
