"""The invoice as PDF pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sandbox.paper.bill import Bill, BillLine

if TYPE_CHECKING:
    from fpdf import FPDF

COLUMNS = [
    ("Date", 22, "L"),
    ("Item", 88, "L"),
    ("Quantity", 22, "R"),
    ("Rate", 28, "R"),
    ("Amount", 30, "R"),
]
GREY = 110
LINES_KEPT_TOGETHER = 12


def pdf(bill: Bill) -> bytes:
    """A4 pages with the invoice's head, lines and totals. The same bill gives the same bytes."""
    from fpdf import FPDF  # slow to import, and most sandboxes never make a PDF

    page = FPDF(format="A4")
    page.set_creation_date(datetime.fromisoformat(bill.issued or "2026-01-01").replace(tzinfo=UTC))
    page.set_title(f"Invoice {_latin(bill.number)}")
    page.set_auto_page_break(True, margin=20)
    page.add_page()
    _head(page, bill)
    _table_head(page)
    for line in bill.lines:
        _line(page, bill, line)
    _totals(page, bill)
    return bytes(page.output())


def _latin(text: str) -> str:
    """The PDF's built-in fonts know Latin letters only; others become a question mark."""
    return text.encode("latin-1", "replace").decode("latin-1")


def _head(page: FPDF, bill: Bill) -> None:
    page.set_font("Helvetica", "B", 18)
    page.cell(110, 10, _latin(bill.seller)[:40])
    page.cell(80, 10, "VOID" if bill.is_voided else "INVOICE", align="R", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 10)
    page.ln(4)
    left = [bill.company, *bill.address]
    right = [f"Invoice {bill.number}", f"Date {bill.issued}", f"Due {bill.due}", f"Order {bill.order}"]
    for at in range(max(len(left), len(right))):
        page.cell(110, 5, _latin(left[at] if at < len(left) else "")[:60])
        text = right[at] if at < len(right) else ""
        page.cell(80, 5, _latin(text)[:45], align="R", new_x="LMARGIN", new_y="NEXT")
    page.ln(6)


def _table_head(page: FPDF) -> None:
    page.set_font("Helvetica", "B", 9)
    page.set_text_color(GREY)
    for name, width, align in COLUMNS:
        page.cell(width, 7, name, border="B", align=align)
    page.ln(8)
    page.set_text_color(0)


def _line(page: FPDF, bill: Bill, line: BillLine) -> None:
    page.set_font("Helvetica", "", 9)
    cells = [line.date, line.name[:52], _number(line.quantity), _number(line.rate), bill.money(line.price)]
    for (_, width, align), text in zip(COLUMNS, cells, strict=True):
        page.cell(width, 5, _latin(str(text)), align=align)
    page.ln(5)


def _number(value: object) -> str:
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _totals(page: FPDF, bill: Bill) -> None:
    page.ln(3)
    rows = [("Subtotal", bill.net), (f"Tax {bill.region}".strip(), bill.tax)]
    page.set_font("Helvetica", "", 10)
    for label, value in rows:
        page.cell(160, 6, _latin(label)[:80], align="R")
        page.cell(30, 6, bill.money(value), align="R", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "B", 11)
    page.cell(160, 8, f"Total {bill.currency}", align="R")
    page.cell(30, 8, bill.money(bill.total), align="R", new_x="LMARGIN", new_y="NEXT")
