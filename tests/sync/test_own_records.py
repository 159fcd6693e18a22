"""What is made and changed in the portal never goes to Autotask: the sandbox's log shows no write (rule 3.8)."""

from datetime import date
from decimal import Decimal

import pytest

from portal import own_records
from portal.extensions import db
from portal.models import AuditEvent, Invoice
from portal.own_records import NewInvoice, NotAllowed
from sandbox import Sandbox
from tests.sync.conftest import ACTOR, one, rows, sync

WRITES = {"PATCH", "PUT", "DELETE"}


@pytest.fixture
def synced(empty: Sandbox, connect) -> Invoice:
    company = empty.add_company(companyName="Contoso")
    empty.add_invoice(companyID=company, invoiceNumber="INV-1", lines=[{"rate": "100.00"}])
    sync(connect(empty))
    return one(Invoice)


def test_nothing_that_is_made_or_changed_here_reaches_autotask(synced: Invoice, empty: Sandbox) -> None:
    """Rules 3.7 and 3.8."""
    customer = own_records.create_customer(ACTOR, "Made here", "USD")
    new = NewInvoice(customer.id, "P-1", date(2026, 11, 1), date(2026, 12, 1), Decimal("50.00"))
    own_records.create_invoice(ACTOR, new)
    own_records.change_invoice(ACTOR, synced, Decimal("90.00"), date(2026, 12, 24))
    own_records.archive(ACTOR, "invoice", [synced.id])
    own_records.restore(ACTOR, "invoice", [synced.id])
    own_records.archive(ACTOR, "customer", [customer.id])
    db.session.commit()
    from portal.models import Integration

    for kind in ("new", "unpaid", "all"):
        sync(one(Integration), kind, "schedule")

    assert [call.method for call in empty.requests if call.method in WRITES] == []
    assert {row["companyName"] for row in empty.rows("Companies")} >= {"Contoso"}
    assert "Made here" not in {row["companyName"] for row in empty.rows("Companies")}


def test_every_change_is_in_the_audit_log(synced: Invoice) -> None:
    own_records.change_invoice(ACTOR, synced, Decimal("90.00"), synced.due_on)
    db.session.commit()
    (event,) = rows(AuditEvent, event="invoice.changed")
    assert event.details["before"]["amount_due"].startswith("100.00")
    assert event.details["after"]["amount_due"].startswith("90.00")


def test_an_amount_can_be_stored_with_and_without_its_tax(synced: Invoice) -> None:
    customer, day, most = (
        own_records.create_customer(ACTOR, "Made here", "USD"),
        date(2026, 11, 1),
        Decimal(99_999_999_999),
    )
    with pytest.raises(NotAllowed, match="Without the tax"):
        own_records.create_invoice(ACTOR, NewInvoice(customer.id, "P-1", day, None, most, Decimal(-1)))
    made = own_records.create_invoice(
        ACTOR, NewInvoice(customer.id, "P-1", day, None, Decimal(5), Decimal(-1))
    )
    with pytest.raises(NotAllowed, match="Without the tax"):
        own_records.change_invoice(ACTOR, made, most, None)
    assert own_records.change_invoice(ACTOR, made, most - 1, None)


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_amount_must_be_more_than_zero(synced: Invoice, amount: str) -> None:
    with pytest.raises(NotAllowed, match="more than zero"):
        own_records.change_invoice(ACTOR, synced, Decimal(amount), None)


def test_a_paid_invoice_cannot_be_changed(synced: Invoice, empty: Sandbox) -> None:
    """Rule 3.7."""
    from portal.models import Integration

    empty.change_invoice(synced.autotask_id, paidDate=date(2026, 11, 20))
    sync(one(Integration), "unpaid", "schedule")
    with pytest.raises(NotAllowed, match="Only an unpaid invoice"):
        own_records.change_invoice(ACTOR, one(Invoice), Decimal(5), None)


def test_archiving_twice_changes_nothing(synced: Invoice) -> None:
    assert own_records.archive(ACTOR, "invoice", [synced.id]) == [synced.id]
    assert own_records.archive(ACTOR, "invoice", [synced.id]) == []


def test_a_clerk_makes_a_customer_and_an_invoice_on_pages(
    synced: Invoice, empty: Sandbox, browse, at
) -> None:
    """Rule 3.8."""
    browser = browse("clerk")
    made = browser.post(at("/customer-edits/new"), data={"name": "Made here", "currency": "usd"})
    assert made.status_code == 303
    customer = made.location.rpartition("/")[2]
    typed = {"customer_id": customer, "number": "P-1", "issued_on": "2026-11-01", "amount_due": "1,250.00"}
    assert browser.post(at("/invoice-edits/new"), data=typed).status_code == 303
    assert one(Invoice, number="P-1").amount_due == Decimal(1250)
    assert [call.method for call in empty.requests if call.method in WRITES] == []


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "1.000,00", "0.001", ""])
def test_an_amount_that_cannot_be_is_refused_beside_its_field(
    synced: Invoice, browse, at, amount: str
) -> None:
    page = browse("clerk").post(at(f"/invoice-edits/{synced.id}"), data={"amount_due": amount})
    assert page.status_code == 422
    assert one(Invoice).amount_due == Decimal(100)


def test_the_form_says_that_the_next_sync_puts_autotasks_values_back(synced: Invoice, browse, at) -> None:
    """Rule 3.7."""
    page = browse("clerk").get(at(f"/invoice-edits/{synced.id}")).get_data(as_text=True)
    assert "puts Autotask&#39;s amount and due date back" in page


def test_a_customer_of_autotasks_is_not_changed_here(synced: Invoice, browse, at) -> None:
    """Rule 3.7: Autotask owns a synced customer's own fields."""
    page = browse("clerk").post(at(f"/customer-edits/{synced.customer_id}"), data={"name": "Other"})
    assert page.status_code == 422
    from portal.models import Customer

    assert one(Customer).name == "Contoso"


def test_only_managers_archive(synced: Invoice, browse, at) -> None:
    assert browse("clerk").post(at(f"/invoice-edits/{synced.id}/archive")).status_code == 403
    assert browse("manager").post(at(f"/invoice-edits/{synced.id}/archive")).status_code == 303
    assert one(Invoice).archived_at is not None
