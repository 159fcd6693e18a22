"""Undoing a file: what it made goes, what it changed goes back, and not while any of it was paid."""

from portal.extensions import db
from portal.models import Customer, Invoice, InvoiceLine, InvoiceSum
from tests import factories
from tests.reading import words_of
from tests.uploads.conftest import URL, Desk

HEADING = "Invoice number,Customer,Invoice date,Item,Line amount,Memo\n"
FIRST = HEADING + "A-1,Fabrikam,2026-11-01,Hosting,10,one\nA-2,Fabrikam,2026-11-01,Hosting,20,\n"
SECOND = (
    HEADING
    + "A-1,Fabrikam,2026-11-02,Rack,15.5,two\nA-3,Fabrikam,2026-11-01,Support,7,\nA-4,Fabrikam,2026-11-01,x,7,\n"
)


def invoice(number: str) -> Invoice:
    return db.session.query(Invoice).filter_by(number=number).one()


def test_what_is_new_goes_and_what_changed_is_as_it_was(desk: Desk) -> None:
    desk.into(FIRST)
    before = (
        desk.rows(Invoice, "number", "issued_on", "amount_due", "comments", "status"),
        desk.rows(InvoiceLine, "name", "total_raw", "quantity", "rate"),
    )
    number = desk.into(SECOND)
    asked = words_of(desk.browser.get(f"{URL}/{number}/undo").text)
    assert "2 new invoices will be removed." in asked
    assert "1 changed invoice will go back to what stood there before." in asked
    for _ in range(2):
        assert desk.undo(number).status_code == 303
    after = (
        desk.rows(Invoice, "number", "issued_on", "amount_due", "comments", "status"),
        desk.rows(InvoiceLine, "name", "total_raw", "quantity", "rate"),
    )
    assert after == before
    assert "This upload was undone" in desk.page(number)
    owed = desk.inside(lambda: sum(row.outstanding for row in db.session.query(InvoiceSum)))
    assert owed == 30
    assert desk.results(desk.into(SECOND)) == {"created": 2, "changed": 1}, (
        "the corrected file comes in as new"
    )


def test_what_two_files_touched_is_as_before_both_once_both_are_undone(desk: Desk) -> None:
    desk.into(FIRST)
    before = desk.rows(Invoice, "number", "issued_on", "amount_due", "comments")
    second, third = desk.into(SECOND), desk.into(SECOND.replace(",15.5,two", ",16,three"))
    desk.undo(third)
    assert ("A-1", "15.5000", False) in desk.invoices()
    asked = words_of(desk.browser.get(f"{URL}/{second}/undo").text)
    assert "2 new invoices will be removed." in asked
    assert "will stay" not in asked
    desk.undo(second)
    assert desk.rows(Invoice, "number", "issued_on", "amount_due", "comments") == before
    assert "but for what was changed since or is in use" in desk.page(second)


def test_nothing_is_undone_while_anything_is_paid(desk: Desk) -> None:
    number = desk.into(FIRST)
    paid = desk.inside(lambda: factories.payment((invoice("A-1"), "4.00")).id)
    answer = desk.undo(number)
    assert answer.status_code == 422
    assert "1 invoice of this file is paid, credited or settled: 4.00 USD." in words_of(answer.text)
    assert (
        desk.browser.post(f"/p/northwind/payments/{paid}/delete", data={"reason": "A mistake"}).status_code
        == 303
    )
    asked = words_of(desk.browser.get(f"{URL}/{number}/undo").text)
    assert "1 new invoice will be removed." in asked
    assert "1 new invoice will be voided" in asked
    desk.undo(number)
    assert desk.invoices() == [("A-1", "10.0000", True)]


def test_what_was_changed_since_or_is_matched_in_autotask_is_not_removed(desk: Desk) -> None:
    number = desk.into(SECOND)

    def match() -> None:
        row = invoice("A-4")
        row.integration_id = factories.integration(desk.app, role="secondary").id
        row.autotask_id = 77
        db.session.commit()

    desk.inside(match)
    desk.into(HEADING + "A-3,Fabrikam,2026-11-01,Support,8,\n")
    asked = words_of(desk.browser.get(f"{URL}/{number}/undo").text)
    for words in ("1 new invoice will be removed", "1 new invoice will be voided", "1 invoice will stay"):
        assert words in asked
    desk.undo(number)
    assert desk.invoices() == [("A-3", "8.0000", False), ("A-4", "7.0000", True)]


def test_customers_go_unless_they_are_in_use(desk: Desk) -> None:
    number = desk.into("Name,Phone\nAdatum,1\nContoso,2\nFabrikam,3\n", "customers")
    desk.inside(lambda: factories.invoice(db.session.query(Customer).filter_by(name="Contoso").one()))
    asked = words_of(desk.browser.get(f"{URL}/{number}/undo").text)
    for words in (
        "1 new customer will be removed",
        "1 changed customer will go back",
        "1 customer will stay",
    ):
        assert words in asked
    desk.undo(number)
    assert desk.rows(Customer, "name", "phone") == [("Contoso", "2"), ("Fabrikam", "")]


def test_the_sums_that_are_kept_follow(desk: Desk) -> None:
    desk.undo(desk.into(FIRST))
    sums = desk.inside(lambda: [(row.invoices, row.outstanding) for row in db.session.query(InvoiceSum)])
    assert [sum(column) for column in zip(*sums, strict=True)] in ([], [0, 0])
