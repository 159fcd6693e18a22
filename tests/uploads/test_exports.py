"""Reports as QuickBooks, Xero and spreadsheets export them, taken as they come; and one truth a row of what is refused."""

from collections.abc import Sequence

import pytest

from portal.extensions import db
from portal.models import Customer, ImportFile, ImportFileRecord, ImportKind, Invoice, InvoiceLine
from portal.uploads import fields
from tests import factories
from tests.uploads.conftest import Desk

BY_CUSTOMER = """\
Northwind IT\r
Sales by Customer Detail\r
\r
,Date,Transaction Type,Num,Product/Service,Memo/Description,Qty,Sales Price,Amount,Balance\r
Fabrikam,,,,,,,,,\r
,11/02/2026,Invoice,1011,Managed Services,Monthly,1.00,"1,200.00","1,200.00","1,200.00"\r
,11/02/2026,Invoice,1011,Backup,,3.00,11.50,34.50,"1,234.50"\r
Total for Fabrikam,,,,,,,,"$1,234.50",\r
Adatum:Remodel,,,,,,,,,\r
,11/05/2026,Invoice,1012,Managed Services,,1.00,80.00,80.00,80.00\r
Total for Adatum:Remodel,,,,,,,,$80.00,\r
TOTAL,,,,,,,,"$1,314.50",\r
\r
"Monday, Nov 30, 2026 10:11 AM GMT-6 - Accrual Basis"\r
"""
OF_THE_DESKTOP = """\
"","Type","Date","Num","Memo","Name","Item","Qty","Sales Price","Amount","P. O. #"
"Service",,,,,,,,,,
,"Invoice","11/02/2026","1051","Café support","Fabrikam","Support",2,50,100.00,"PO 7"
,"Invoice","11/02/2026","1051","Disk","Fabrikam","Parts:Disk",1,19.5,19.50,"PO 7"
"Total Service",,,,,,,,,119.50,
"""


def customer(name: str) -> None:
    factories.customer(name=name, external_id=name)


def billed(desk: Desk) -> list[tuple[str, str, str]]:
    found = desk.inside(
        lambda: [
            (row.number, row.customer.name, f"{row.amount_due:.2f}") for row in db.session.query(Invoice)
        ]
    )
    return sorted(found)


def refused(desk: Desk, number: int) -> dict[str, list[str]]:
    """By label, why, without what to do about it."""
    found = desk.inside(
        lambda: [
            (row.label or f"Row {row.place}", row.reasons)
            for row in db.session.query(ImportFileRecord).filter_by(file_id=number, result="refused")
        ]
    )
    return {
        label: [f"{field}: {said.partition('. ')[0]}" for field, said in reasons] for label, reasons in found
    }


@pytest.mark.parametrize("at_once", [3, 1000], ids=["over parts", "in one part"])
def test_a_report_by_customer_names_the_customer_above_its_invoices(
    desk: Desk, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.uploads.steps.RECORDS_AT_ONCE", at_once)
    desk.inside(lambda: customer("Adatum:Remodel"))
    number = desk.into(BY_CUSTOMER)
    assert refused(desk, number) == {}
    assert billed(desk) == [("1011", "Fabrikam", "1234.50"), ("1012", "Adatum:Remodel", "80.00")]
    assert desk.results(desk.look(BY_CUSTOMER)) == {"unchanged": 2}


def test_whoever_is_named_above_no_row_is_nobodys_customer(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Total\nA-1,,2026-11-01,5\n,Fabrikam,,\nA-2,,2026-11-01,6\n"
    number = desk.into(words)
    assert refused(desk, number) == {"A-1": ["customer: The customer is missing."]}
    assert billed(desk) == [("A-2", "Fabrikam", "6.00")]


def test_the_memo_of_quickbooks_desktop_is_said_of_each_line(desk: Desk) -> None:
    desk.into(OF_THE_DESKTOP.encode("cp1252"))
    assert billed(desk) == [("1051", "Fabrikam", "119.50")]
    assert desk.rows(InvoiceLine, "name", "description") == [
        ("Parts:Disk", "Disk"),
        ("Support", "Café support"),
    ]
    assert desk.rows(Invoice, "order_number", "comments") == [("PO 7", "")]


def test_a_list_of_contacts_names_customers_not_their_people(desk: Desk) -> None:
    headings = ["Customer full name", "Phone numbers", "Email", "Full name", "Bill address", "Ship address"]
    assert fields.guessed(ImportKind.CUSTOMERS, headings) == {"name": 0, "phone": 1, "street": 4}
    desk.into(
        '"Active Status","Customer","Balance"\n"Active","Adatum",0\n"Not-active","Contoso",0\n', "customers"
    )
    assert desk.rows(Customer, "name", "active") == [("Adatum", True), ("Contoso", False), ("Fabrikam", True)]


GROSS = "Invoice number,Customer,Invoice date,Total,Item,Line amount,{}\nA-1,Fabrikam,2026-11-01,119,Hosting,119,19\n"


@pytest.mark.parametrize("tax", ["Tax total", "Line tax"])
def test_lines_that_make_the_total_with_their_tax_in_them_are_read_so(desk: Desk, tax: str) -> None:
    """Whatever the one before did: Xero's files have both."""
    desk.into(GROSS.format(tax).replace(",119,19", ",100,19"))
    assert desk.rows(Invoice, "total_raw", "tax_raw", "amount_due") == [(100, 19, 119)]
    both = f"{GROSS.format(tax)}A-2,Fabrikam,2026-11-01,119,Hosting,100,19\n".replace("A-", "B-")
    desk.into(both)
    assert desk.rows(Invoice, "total_raw", "tax_raw", "amount_due") == [(100, 19, 119)] * 3


def test_a_file_that_writes_otherwise_than_the_last_one_with_its_headings_is_read_as_it_writes(
    desk: Desk,
) -> None:
    desk.into("Invoice number;Customer;Invoice date;Amount\nA-1;Fabrikam;19.11.2026;1.234,50\n")
    desk.into("Invoice number,Customer,Invoice date,Amount\nA-2,Fabrikam,11/19/2026,10.00\n")
    assert billed(desk) == [("A-1", "Fabrikam", "1234.50"), ("A-2", "Fabrikam", "10.00")]


def test_a_void_is_told_and_counts_no_money(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Total,Status\nA-1,Fabrikam,2026-11-01,90,{}\n"
    number = desk.look(words.format("Voided"))
    assert "New 1 0.00 USD" in desk.page(number)
    assert "A-1 New Voided yes" in desk.page(number)
    desk.into(words.format("Open"))
    assert "Changed 1 0.00 USD (was 90.00 USD)" in desk.page(desk.look(words.format("Voided")))


TOTALS = """\
Invoice number,Customer,Invoice date,Total,Tax,Type
A-1,Fabrikam,2026-11-01,abc,1,
A-2,Fabrikam,2026-11-01,,1,
A-3,Fabrikam,2026-11-01,5,x,
A-4,Fabrikam,2026-11-01,5,1,
A-4,Fabrikam,2026-11-01,6,1,
A-5,Fabrikam,,5,,
A-6,Fabrikam,2026-11-01,9999999999999999,,
,Fabrikam,2026-11-01,5,,
,,,-100,,Payment
"""
LINES = """\
Invoice number,Customer,Invoice date,Total,Item,Quantity,Rate,Line amount,Line tax
B-1,Fabrikam,2026-11-01,abc,,,,,
B-2,Fabrikam,2026-11-01,11,x,,,ten,
B-3,Fabrikam,2026-11-01,11,x,two,5,,
B-4,Fabrikam,2026-11-01,11,x,1,5,10.00,
B-5,Fabrikam,2026-11-01,11,x,1,,,
B-6,Fabrikam,2026-11-01,11,x,1,,10,one
B-7,Fabrikam,2026-11-01,10,x,1,,5,
B-7,Fabrikam,2026-11-01,11,x,1,,5,
"""


def no_amount(words: str) -> str:
    return f"“{words}” is no amount written like 1,234.50"


TRUTHS = {
    "A-1": [f"total: {no_amount('abc')}"],
    "A-2": ["total: The total is missing."],
    "A-3": [f"tax: {no_amount('x')}"],
    "A-4": ["lines: It has several rows and no amounts of lines"],
    "A-5": ["issued_on: The date is missing."],
    "A-6": ["total: “9999999999999999” is larger than can be stored, or has more than six decimals."],
    "Row 9": ["number: The invoice number is missing."],
    "Row 10": [": This row is no invoice but “Payment”."],
    "B-1": [f"total: {no_amount('abc')}"],
    "B-2": [f"lines/0/amount: {no_amount('ten')}"],
    "B-3": [f"lines/0/quantity: {no_amount('two')}"],
    "B-4": ["total: The lines make 10.00."],
    "B-5": ["lines/0/amount: The amount of this line is missing."],
    "B-6": [f"lines/0/tax: {no_amount('one')}"],
    "B-7": ["total: Its rows differ: “10” and “11”."],
}


def test_a_row_is_refused_for_one_reason_where_there_is_one(desk: Desk) -> None:
    assert refused(desk, desk.look(TOTALS)) | refused(desk, desk.look(LINES)) == TRUTHS
    several: Sequence[str] = refused(desk, desk.look("Name,Tax exempt,Phone\n,maybe,5\n", "customers"))[
        "Row 2"
    ]
    assert several == ["tax_exempt: “maybe” is neither yes nor no.", "name: The name is missing."]
    assert len(desk.rows(ImportFile, "id")) == 3
