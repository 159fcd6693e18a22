"""Rows of invoices as other programs write them: which are invoices, which are credits, and what is neither."""

import pytest

from portal.models import Invoice, InvoiceLine
from portal.uploads import invoice_drafts, work
from portal.uploads.choice import Choice
from tests.uploads.conftest import Desk

COLUMNS = {"number": 0, "customer": 1, "issued_on": 2, "total": 3, "type": 4}
INVOICES = ("Invoice", "invoices", "Sales Invoice", "Tax invoice", "ACCREC", "")
CREDITS = ("Credit", "Credit memo", "Credit Note", "Sales credit note", "Sales Credit", "ACCRECCREDIT")
OTHERS = (
    "Sales Receipt", "Sales Tax Payment", "Invoice payment", "Sales overpayment", "Purchase invoice", "ACCPAY",
    "Credit Card Payment", "Vendor Credit", "Purchase credit note", "Credit Card Credit", "Payment", "Proforma invoice",
)  # fmt: skip


@pytest.mark.parametrize("kind", [*INVOICES, *CREDITS, *OTHERS])
def test_a_row_is_an_invoice_or_a_credit_by_the_whole_of_its_kind(kind: str) -> None:
    cells = ["A-1", "Fabrikam", "2026-11-01", "5", kind]
    found = invoice_drafts.draft(2, [cells], Choice(COLUMNS), [""])
    told = [f"This row is no invoice but “{kind}”."] if kind in OTHERS else []
    assert [one.sentence for one in found.refusals] == told
    if not told:
        assert found.sent["total"] == ("-5" if kind in CREDITS else "5")


GROSS = "Invoice number,Customer,Invoice date,Total,Item,Line amount,Tax,Type\n"


def test_the_tax_of_an_invoice_whose_lines_hold_it_is_counted_once(desk: Desk) -> None:
    words = f"{GROSS}A-1,Fabrikam,2026-11-01,119,Hosting,119,19,\nA-2,Fabrikam,2026-11-01,119,Refund,119,19,Credit\n"
    desk.into(words, taxes="with")
    assert desk.rows(Invoice, "number", "total_raw", "tax_raw", "amount_due") == [
        ("A-1", 100, 19, 119), ("A-2", -100, -19, -119),
    ]  # fmt: skip
    lines = desk.rows(InvoiceLine, "name", "price_raw", "tax_raw")
    assert lines == [("Hosting", 119, 0), ("Refund", -119, 0), ("Tax", -19, 19), ("Tax", 19, -19)]
    desk.into(words.replace("A-", "B-").replace(",119,Hosting", ",138,Hosting"), taxes="without")
    assert ("B-1", 119, 19, 138) in desk.rows(Invoice, "number", "total_raw", "tax_raw", "amount_due")


def test_an_invoice_of_more_rows_than_are_read_is_refused(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Item,Line amount\n"
    for number, lines in (("A-1", 500), ("A-2", 501)):
        words += f"{number},Fabrikam,2026-11-01,,\n" + f"{number},,,Hosting,1\n" * lines
    number = desk.into(words)
    assert desk.inside(lambda: work.work(number)), "more rows than are worked on while a person waits"
    assert desk.results(number) == {"created": 1, "refused": 1}
    assert "It has more than 501 rows, and an invoice has at most 500 lines." in desk.page(number)
    assert desk.invoices() == [("A-1", "500.0000", False)]


def test_blanks_of_any_kind_around_a_number_make_no_other_invoice(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Item,Line amount\n"
    words += "A-1,Fabrikam,2026-11-01,a,1\nA-1\u00a0,Fabrikam,2026-11-01,b,2\n\u2007A-1\t,Fabrikam,2026-11-01,c,3\n"
    assert desk.results(desk.into(words)) == {"created": 1}
    assert desk.invoices() == [("A-1", "6.0000", False)]


def test_a_file_without_a_status_leaves_what_is_void_void(desk: Desk) -> None:
    words = "Invoice number,Customer,Invoice date,Total,Status\nA-1,Fabrikam,2026-11-01,5,{}\n"
    desk.into(words.format("Voided"))
    number = desk.into("Invoice number,Customer,Invoice date,Total\nA-1,Fabrikam,2026-11-01,5\n")
    assert desk.results(number) == {"unchanged": 1}
    assert desk.invoices() == [("A-1", "5.0000", True)]
    desk.into(words.format("Open"))
    assert desk.invoices() == [("A-1", "5.0000", False)]


def test_an_invoice_that_is_too_large_is_refused_and_the_others_are_taken(desk: Desk) -> None:
    words = (
        "Invoice number,Customer,Invoice date,Item,Line amount\n"
        + "BIG,Fabrikam,2026-11-01,a,99999999999\n" * 2
    )
    number = desk.into(words + "A-1,Fabrikam,2026-11-01,a,5\n")
    assert desk.results(number) == {"created": 1, "refused": 1}
    assert "The total, with and without tax, must be at most 99,999,999,999." in desk.page(number)


def test_a_total_that_is_as_it_was_when_rounded_leaves_the_lines(desk: Desk) -> None:
    desk.into(
        "Invoice number,Customer,Invoice date,Item,Line amount\nA-1,Fabrikam,2026-11-01,Hosting,10.004\n"
    )
    number = desk.into("Invoice number,Customer,Invoice date,Total\nA-1,Fabrikam,2026-11-01,10.00\n")
    assert desk.results(number) == {"unchanged": 1}
    assert desk.rows(InvoiceLine, "name") == [("Hosting",)]
