"""Files of customers and invoices: as other programs export them, looked at first, taken in once."""

import csv
import io
from typing import Any

import pytest

from portal import csv_in
from portal.extensions import db
from portal.models import AuditEvent, Customer, ImportFile, ImportRow, ImportRun, Invoice, InvoiceLine
from tests import factories
from tests.hostile_texts import HOSTILE_TEXTS
from tests.reading import words_of
from tests.uploads.conftest import URL, Desk

XERO = """\
*ContactName,EmailAddress,*InvoiceNumber,Reference,*InvoiceDate,*DueDate,Total,TaxTotal,InvoiceAmountPaid,\
InventoryItemCode,*Description,*Quantity,*UnitAmount,Discount,LineAmount,TaxAmount,Currency,Type,Status
Fabrikam,a@b.example,INV-1,PO 7,11/01/2026,12/01/2026,129.00,19.00,0,HOST,Hosting,1,100.00,,100.00,19.00,USD,Sales invoice,Paid
Fabrikam,a@b.example,INV-1,PO 7,11/01/2026,12/01/2026,129.00,19.00,0,,Support,1,10.00,,10.00,0.00,USD,Sales invoice,Paid
Fabrikam,a@b.example,CN-1,,11/01/2026,12/01/2026,50.00,0,0,,Refund,1,50.00,,50.00,0.00,USD,Sales credit note,Paid
Nobody,a@b.example,INV-2,,11/01/2026,12/01/2026,10.00,0,0,,Hosting,1,10.00,,10.00,0.00,USD,Sales invoice,Paid
Fabrikam,a@b.example,INV-3,,11/01/2026,12/01/2026,10.00,0,0,,Hosting,1,10.00,,10.00,0.00,USD,Sales invoice,Draft
"""
QUICKBOOKS = """\
Northwind IT\r
Invoice list\r
"November 1-30, 2026"\r
\r
Date,Transaction type,Num,Name,Memo/Description,Due date,Amount,Open balance\r
Fabrikam,,,,,,,\r
11/02/2026,Invoice,1001,Fabrikam,Managed services,12/02/2026,"$1,234.50","1,234.50"\r
11/03/2026,Credit memo,1002,Fabrikam,,,($34.50),-34.50\r
11/04/2026,Payment,1003,Fabrikam,,,-100.00,0\r
Total for Fabrikam,,,,,,"$1,200.00",\r
TOTAL,,,,,,"$1,200.00",\r
\r
"Monday, November 30, 2026 10:11 AM GMT-6"\r
"""
CUSTOMERS = "Customer,Company,Street Address,City,State,Zip,Phone,Currency\n"


def test_an_export_of_xero_is_looked_at_taken_in_once_and_told_as_an_import_is(desk: Desk) -> None:
    number = desk.look(XERO, by_pages=True)
    assert desk.invoices() == [], "looking changes nothing"
    assert desk.results(number) == {"created": 2, "refused": 2}
    page = desk.page(number)
    for words in (
        "Nothing is taken in yet", "79.00 USD", "There is no customer Nobody. Upload or add the customers first.",
        "It was not sent yet: its status is “Draft”.", "Dates are read with the month first: “11/01/2026” is 1 Nov 2026",
        "Take in 2 invoices", "2 records are refused",
    ):  # fmt: skip
        assert words in page
    for _ in range(2):  # the second click, or the way back
        assert desk.take(number).status_code == 303
    assert desk.invoices() == [("CN-1", "-50.0000", False), ("INV-1", "129.0000", False)]
    lines = desk.rows(InvoiceLine, "name", "description", "total_raw")
    assert [(name, said, f"{total:f}") for name, said, total in lines] == [
        ("HOST", "Hosting", "119.000000"), ("Refund", "", "-50.000000"), ("Support", "", "10.000000"),
    ]  # fmt: skip
    ((run, results),) = desk.rows(ImportRun, "id", "results")
    assert results == {"created": 2, "refused": 2}
    assert sorted(desk.rows(ImportRow, "label", "result")) == [
        ("CN-1", "created"), ("INV-1", "created"), ("INV-2", "refused"), ("INV-3", "refused"),
    ]  # fmt: skip
    told = words_of(desk.browser.get(f"/p/northwind/imports/{run}").text)
    assert "from file.csv" in told
    assert "Customer There is no customer Nobody." in told
    assert "Invoices from file.csv brought in: 2 created, 2 refused" in words_of(
        desk.browser.get("/p/northwind/activity").text
    )


def test_the_same_file_again_is_read_as_before_and_changes_nothing(desk: Desk) -> None:
    heading, *rows = "Bill,Who,When,Sum,Why\nA-1,Fabrikam,3/4/2026,1.50,x\n".splitlines()
    usual = {"number": "0", "customer": "1", "issued_on": "2", "total": "3", "order": "day"}
    desk.into("\n".join([heading, *rows]), **usual)
    turned = "\n".join(",".join(reversed(line.split(","))) for line in [heading, *rows])
    number = desk.look(turned)
    assert desk.results(number) == {"unchanged": 1}
    assert "There is nothing in this file to take in." in desk.page(number)
    assert desk.take(number).status_code == 303
    assert len(desk.rows(ImportRun, "id")) == 1
    ((issued,),) = desk.rows(Invoice, "issued_on")
    assert issued.isoformat() == "2026-04-03"


def test_a_report_of_quickbooks_has_titles_sums_and_other_rows(desk: Desk) -> None:
    number = desk.into(QUICKBOOKS)
    assert desk.invoices() == [("1001", "1234.5000", False), ("1002", "-34.5000", False)]
    page = desk.page(number)
    assert "This row is no invoice but “Payment”." in page
    assert "4 rows are titles or sums and were left out" in page


def test_customers_of_quickbooks_and_a_german_spreadsheet(desk: Desk) -> None:
    words = f"{CUSTOMERS}Adatum,Adatum LLC,12 Main St,Portland,ME,04101,+1 207,EUR\nFabrikam,,,,,,555,\nX,,,,,,,ZZZ\n"
    number = desk.into(words, "customers")
    assert desk.results(number) == {"created": 1, "changed": 1, "refused": 1}
    assert "There is no currency ZZZ." in desk.page(number)
    found = desk.rows(Customer, "name", "address", "phone", "currency")
    assert found == [
        ("Adatum", "12 Main St\nPortland\nME\n04101", "+1 207", "EUR"),
        ("Fabrikam", "", "555", "USD"),
    ]
    german = "Rechnung;Kunde;Datum;Fällig;Betrag;Währung\r\nR-1;Adatum;01.11.2026;;1.234,50 €;EUR\r\n"
    desk.into(
        german.encode("cp1252"), number="0", customer="1", issued_on="2", due_on="3", total="4", currency="5",
        order="day", numbers="point_comma",
    )  # fmt: skip
    assert desk.invoices() == [("R-1", "1234.5000", False)]


BAD_ROWS = """\
Invoice number,Customer,Invoice date,Total,Item,Line amount,Currency,Status
A-1,Fabrikam,2026-11-01,11.00,a,10.00,,
A-2,Fabrikam,2026-11-01,,a,10.00,EUR,
A-3,Twins,2026-11-01,,a,10.00,,
A-4,Fabrikam,31/31/2026,,a,10.00,,
A-5,Fabrikam,2026-11-01,,a,1.234.5,,
,Fabrikam,2026-11-01,,a,10.00,,
A-6,Fabrikam,2026-11-01,,a,10.00,,,more
A-7,Fabrikam,2026-11-01,,a,10.00,,
A-7,Fabrikam,2026-11-02,,b,10.00,,
A-8,Fabrikam,1066-11-02,,b,10.00,,
A-9,Fabrikam,2026-11-02,,b,,,
PAID,Fabrikam,2026-11-01,,a,10.00,,Voided
HAND,Fabrikam,2026-11-01,,a,10.00,,
GOOD,Fabrikam,2026-11-01,10.00,a,10.00,,
"""
REASONS = {
    "A-1": "Total The lines make 10.00.",
    "A-2": "Currency This customer is billed in USD, and the invoice is in EUR.",
    "A-3": "Customer 2 customers are called Twins. Name them by their numbers.",
    "A-4": "Invoice date Write the date like 11/19/2026 or 2026-11-19.",
    "A-5": "Line 1, amount “1.234.5” is no amount written like 1,234.50.",
    "Row 7": "Number The invoice number is missing.",
    "A-6": "This row has more cells than the headings name.",
    "A-7": "Invoice date Its rows differ: “2026-11-01” and “2026-11-02”.",
    "A-8": "Invoice date Send a day between 1990 and 2100.",
    "PAID": "Voided 4.00 USD is paid on it. Delete or move the payment, then void it.",
    "HAND": "Number There is an invoice with this number here that did not come from your billing system.",
}


def test_each_row_that_cannot_be_taken_says_why_and_the_others_are_taken(desk: Desk) -> None:
    def lay() -> None:
        for number in "12":
            factories.customer(name="Twins", external_id=f"T-{number}")
        fabrikam = db.session.query(Customer).filter_by(name="Fabrikam").one()
        factories.invoice(fabrikam, number="HAND")

    desk.inside(lay)
    desk.into("Invoice number,Customer,Invoice date,Total\nPAID,Fabrikam,2026-11-01,10.00\n")
    desk.inside(lambda: factories.payment((db.session.query(Invoice).filter_by(number="PAID").one(), "4.00")))
    number = desk.look(BAD_ROWS)
    page = desk.page(number, "?result=refused")
    for label, reason in REASONS.items():
        assert f"{label} Refused" in page, label
        assert reason in page, label
    assert desk.results(number)["created"] == 2, "A-9 is nothing but an item without an amount"
    answer = desk.browser.get(f"{URL}/{number}/refused.csv").get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(answer)))
    assert rows[0][:2] == ["Row", "Invoice number"]
    assert rows[1][0] == "2"
    assert rows[1][-1] == "Total: The lines make 10.00."
    assert len(rows) - 1 == 12
    desk.take(number)
    assert [row[0] for row in desk.invoices()] == ["A-9", "GOOD", "HAND", "PAID"]


def test_a_number_that_two_invoices_of_a_file_have_is_taken_for_neither(desk: Desk) -> None:
    words = "ID,Invoice number,Customer,Invoice date,Total,Status\n"
    words += "1,A-1,Fabrikam,2026-11-01,5,\n2,A-1,Fabrikam,2026-11-01,6,\n"
    words += "3,A-2,Fabrikam,2026-11-01,5,Voided\n4,A-2,Fabrikam,2026-11-01,6,\n"
    number = desk.look(words)
    assert desk.results(number) == {"created": 2, "refused": 2}
    assert "Another invoice of this file has the number A-1 too." in desk.page(number)


def test_what_a_file_has_no_column_for_stays_as_it_is(desk: Desk) -> None:
    desk.into(XERO)
    desk.into("Customer,Phone,Currency\nFabrikam,1,USD\n", "customers")
    assert desk.results(desk.into("Customer,City\nFabrikam,Portland\n", "customers")) == {"changed": 1}
    assert desk.rows(Customer, "phone", "address") == [("1", "Portland")]
    again = desk.into("Invoice number,Customer,Invoice date,Total\nINV-1,Fabrikam,2026-11-01,129.00\n")
    assert desk.results(again) == {"unchanged": 1}
    assert len(desk.rows(InvoiceLine, "id")) == 3


def test_texts_that_would_do_harm_stay_text_and_leave_as_text(desk: Desk) -> None:
    hostile = [
        text for text in HOSTILE_TEXTS if text.isprintable() and text.strip() == text and len(text) < 90
    ][::3]
    assert len(hostile) >= 40
    out = io.StringIO()
    csv.writer(out).writerows(
        [["Name", "Phone"], *([text, text] for text in hostile), *[["Twice", "=cmd()"]] * 2]
    )
    number = desk.into(out.getvalue(), "customers", name="0", phone="1")
    assert {name for name, _ in desk.customers()} == {*hostile, "Fabrikam"}
    given = desk.browser.get(f"{URL}/{number}/refused.csv").get_data().decode("utf-8-sig")
    assert [row[2] for row in csv.reader(io.StringIO(given))][1:] == ["'=cmd()", "'=cmd()"]


def test_two_files_at_once_make_each_record_once(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Total\nA-1,Fabrikam,2026-11-01,5\n"
    first, second = desk.look(words), desk.look(words)
    desk.take(first)
    desk.take(second)
    assert desk.invoices() == [("A-1", "5.0000", False)]
    assert [desk.results(one) for one in (first, second)] == [{"created": 1}, {"unchanged": 1}]


def test_what_autotask_owns_is_refused_in_words(desk: Desk) -> None:
    def connect() -> None:
        customer = factories.customer(factories.integration(desk.app), name="Contoso")
        factories.invoice(customer, number="AT-1")

    desk.inside(connect)
    invoices = (
        "Invoice number,Customer,Invoice date,Total\nAT-1,Nobody,2026-11-01,5\nAT-2,Contoso,2026-11-01,5\n"
    )
    page = desk.page(desk.look(invoices))
    assert (
        "AT-1 Refused Record Autotask owns this invoice. Change it there; the next sync brings it here."
        in page
    )
    page = desk.page(desk.look("Name\nContoso\n", "customers"))
    assert "Autotask owns this customer." in page


BAD_FILES: list[tuple[Any, str]] = [
    (b"", "The file is empty."),
    (b"\r\n\r\n", "The file is empty."),
    (b"Name,Phone\r\n", "The file has headings but no rows."),
    (b"PK\x03\x04" + b"\0" * 400, "an Excel workbook or another archive, not readable text"),
    (b"%PDF-1.7\n%\xe2\xe3", "The file is a PDF, not readable text."),
    (b"\x89PNG\r\n\x1a\n", "The file is a picture, not readable text."),
    (b"Name,Phone\r\nA\0B,1\r\n", "The file is not a CSV file."),
    ("Name\r\nA\x07B\r\n", "Row 2 of the file holds signs that are no text"),
    (b'Name,Phone\r\n"Adatum,1\r\nB,2\r\n', "a quotation mark is left open"),
    (b"Name,Phone,City\r\nAdatum,1,Portland\r\nContoso,", "The file ends in the middle of a row"),
    (",".join(f"h{n}" for n in range(300)) + "\nx\n", "The file has 300 columns."),
    (b"Name\r\n" + b"x" * 6000 + b"\r\n", "A row of the file is longer than 5,000 characters"),
    (b"Name,Phone\r\nZ\x81rich,1\r\n", "The file is not readable text."),
]


def test_a_file_that_cannot_be_read_is_told_and_nothing_of_it_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_in, "LONGEST_ROW", 5000)
    for words, sentence in BAD_FILES:
        answer = desk.choose(words, "customers")
        assert answer.status_code == 422, sentence
        assert sentence in words_of(answer.text), sentence
    assert desk.rows(ImportFile, "id") == []


@pytest.mark.parametrize(("field", "sentence"), [
    ("issued_on", "Choose the column that holds it."),
    ("total", "Choose the column with the total, or those with the amounts of lines"),
])  # fmt: skip
def test_a_column_that_is_needed_is_asked_for(desk: Desk, field: str, sentence: str) -> None:
    words = "Invoice number,Customer,Invoice date,Total\nA-1,Fabrikam,2026-11-01,5\n"
    number = int(desk.choose(words).location.split("/")[-2])
    answer = desk.columns(number, **{field: ""})
    assert answer.status_code == 422
    assert sentence in words_of(answer.text)
    assert "This column is chosen for" in words_of(desk.columns(number, comments="0").text)


def test_a_file_is_thrown_away_until_it_is_taken_in(desk: Desk) -> None:
    number = desk.look("Name\nAdatum\n", "customers")
    assert "Files that are not taken in yet" in words_of(desk.browser.get("/p/northwind/imports").text)
    assert desk.browser.post(f"{URL}/{number}/discard").status_code == 303
    assert desk.browser.get(f"{URL}/{number}").status_code == 404
    taken = desk.into("Name\nAdatum\n", "customers")
    assert desk.browser.post(f"{URL}/{taken}/discard").status_code == 303
    assert "This file was taken in" in desk.page(taken)
    assert "taken in before" in words_of(desk.columns(taken).text) + desk.page(taken)
    assert desk.customers() == [("Adatum", "Adatum"), ("Fabrikam", "Fabrikam")]


def test_a_file_tells_the_audit_log_once(desk: Desk) -> None:
    number = desk.into("Name\nAdatum\nContoso\n", "customers")
    desk.undo(number)
    events = desk.rows(AuditEvent, "event", "details")
    assert [(event, details["file"]) for event, details in events if event.startswith("import")] == [
        ("import.done", "file.csv"), ("import.undone", "file.csv"),
    ]  # fmt: skip
