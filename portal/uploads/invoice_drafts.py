"""The rows of one invoice of a file as the JSON that the API takes: its head, and its lines or its total."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from portal import money
from portal.uploads import fields, written
from portal.uploads.choice import Choice, held_by_total
from portal.uploads.drafts import Cells, Draft
from portal.uploads.reader import Reader

VOID = {"void", "voided", "deleted", "cancelled", "canceled", "yes", "true", "y", "1"}
DRAFT = {"draft", "submitted", "awaiting approval"}
# As fields.plain writes them. Other programs' receipts, payments and bills have these words in longer ones.
INVOICES = {"invoice", "invoices", "salesinvoice", "taxinvoice", "accrec"}
CREDITS = {"credit", "creditmemo", "creditnote", "salescreditnote", "salescredit", "accreccredit"}
LONGEST_NAME, NO_ITEM, TAX = 500, "Item", "Tax"
NO_MONEY = "Choose the column with the total, or those with the amounts of lines."
SEVERAL = "It has several rows and no amounts of lines. If its rows are its lines, choose the column “Line: amount”."
Line = dict[str, Any]


def draft(place: int, rows: Sequence[Cells], choice: Choice, faults: Sequence[str]) -> Draft:
    """Its head is what its rows say of it, and must agree; each row is a line where lines have amounts."""
    found = Draft(place, len(rows), label=choice.cell("number", rows[0]))
    if (told := held_by_total(choice, rows)) is not None:
        choice = replace(choice, with_tax=told)
    read = Reader(choice, rows, found)
    found.is_nothing = _is_nothing(rows[0], choice)
    kind, status = read.same("type"), read.same("status")
    is_credit = fields.plain(kind) in CREDITS
    if kind and not is_credit and fields.plain(kind) not in INVOICES:
        found.refuse_whole(f"This row is no invoice but “{kind[:40]}”.")
    if status.lower() in DRAFT:
        found.refuse_whole(f"It was not sent yet: its status is “{status[:40]}”.")
    found.key, found.customer = read.same("external_id") or found.label, read.same("customer")
    found.take_over(faults)
    found.sent = {
        "customer": found.customer, "number": read.same("number"), "currency": read.same("currency").upper(),
        "issued_on": read.day("issued_on", read.same("issued_on"), needed=True),
        "due_on": read.day("due_on", read.same("due_on")),
        "order_number": read.same("order_number"), "comments": read.same("comments"),
        "voided": status.lower() in VOID, **_money(read, is_credit),
    }  # fmt: skip
    for name, words in (("number", "The invoice number"), ("customer", "The customer")):
        if not found.sent[name]:
            found.refuse(name, f"{words} is missing.")
    return found


def _is_nothing(cells: Cells, choice: Choice) -> bool:
    """A title, a sum or a note between the invoices."""
    if choice.cell("number", cells):
        return False
    first = next((cell.strip().lower() for cell in cells if cell.strip()), "")
    return first.startswith(("total", "grand total")) or sum(bool(cell.strip()) for cell in cells) <= 1


def _money(read: Reader, is_credit: bool) -> dict[str, Any]:
    """Its lines, or its total; a total beside lines is what these must make."""
    lines = _lines(read) if read.choice.has_lines else []
    if not lines and len(read.rows) > 1:
        read.draft.refuse("lines", SEVERAL)
        return {"total": "0"}
    total, tax = read.amount("total", read.same("total")), read.amount("tax", read.same("tax"))
    if not lines:
        if total is None and not read.draft.is_refused("total"):
            read.draft.refuse("total", NO_MONEY if not read.choice.has("total") else "The total is missing.")
        sign = _sign(total, is_credit)
        return _digits({"total": (total or Decimal(0)) * sign, "tax": (tax or Decimal(0)) * sign})
    if tax and not read.choice.has("line_tax"):
        held = tax if read.choice.with_tax else Decimal(0)
        lines.append({"name": TAX, "amount": -held, "tax": tax})
    sign = _sign(sum(line["amount"] + line["tax"] for line in lines), is_credit)
    signed = [{**line, "amount": line["amount"] * sign, "tax": line["tax"] * sign} for line in lines]
    told = {"total": total * _sign(total, is_credit)} if total is not None else {}
    return {"lines": [_digits(_agreeing(line, sign)) for line in signed], **_digits(told)}


def _sign(amount: Decimal | None, is_credit: bool) -> int:
    """A credit is below zero, whichever way its program writes it."""
    return -1 if is_credit and amount is not None and amount > 0 else 1


def _agreeing(line: Line, sign: int) -> Line:
    return {**line, "rate": line["rate"] * sign} if line.get("rate") is not None else line


def _lines(read: Reader) -> list[Line]:
    """Those of its rows that say anything of a line."""
    found = []
    for place, cells in enumerate(read.rows):
        line = _line(read, f"lines/{place}", cells)
        found += [line] if line is not None else []
    return found


def _line(read: Reader, pointer: str, cells: Cells) -> Line | None:
    said = {
        name: read.choice.cell(name, cells)
        for name in ("item", "description", "line_amount", "quantity", "rate", "line_tax")
    }
    if not any(said.values()):
        return None
    quantity, rate = (read.amount(f"{pointer}/{name}", said[name]) for name in ("quantity", "rate"))
    amount = read.amount(f"{pointer}/amount", said["line_amount"])
    tax = read.amount(f"{pointer}/tax", said["line_tax"]) or Decimal(0)
    if amount is None and not said["line_amount"] and quantity is not None and rate is not None:
        amount = money.shortened(quantity * rate)
    if amount is None and (quantity or rate or tax) and not read.draft.is_refused(pointer):
        read.draft.refuse(f"{pointer}/amount", "The amount of this line is missing.")
    net = (amount or Decimal(0)) - (tax if read.choice.with_tax else 0)
    name = said["item"] or said["description"] or NO_ITEM
    line: Line = {"name": name[:LONGEST_NAME], "amount": net, "tax": tax}
    line |= {"description": said["description"]} if said["item"] else {}
    line |= {} if quantity is None else {"quantity": quantity}
    line |= {} if rate is None else {"rate": rate}
    on = read.day(f"{pointer}/date", written.without_midnight(read.choice.cell("line_date", cells)))
    return {**line, "date": on} if on else line


def _digits(values: Line) -> Line:
    """Numbers as the API takes them."""
    return {
        name: format(value, "f") if isinstance(value, Decimal) else value for name, value in values.items()
    }
