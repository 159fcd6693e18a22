"""The invoice as HTML markup."""

from __future__ import annotations

from html import escape

from sandbox.paper.bill import Bill, BillLine


def html(bill: Bill) -> str:
    """A whole small HTML document; every text of the invoice is escaped."""
    rows = "".join(_row(bill, line) for line in bill.lines)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{escape(bill.number)}</title></head><body>'
        f"<h1>{'VOID ' if bill.is_voided else ''}Invoice {escape(bill.number)}</h1>"
        f"<p>{escape(bill.company)}</p><p>Date {bill.issued}, due {bill.due}</p>"
        f"<table><thead><tr><th>Date</th><th>Item</th><th>Quantity</th><th>Rate</th><th>Amount</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f"<p>Subtotal {bill.money(bill.net)}</p><p>Tax {escape(bill.region)} {bill.money(bill.tax)}</p>"
        f"<p>Total {bill.currency} {bill.money(bill.total)}</p></body></html>"
    )


def _row(bill: Bill, line: BillLine) -> str:
    cells = [line.date, line.name, line.quantity, line.rate, bill.money(line.price)]
    return "<tr>" + "".join(f"<td>{escape(str(one))}</td>" for one in cells) + "</tr>"
