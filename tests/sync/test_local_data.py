"""What is made and changed in the portal never goes to Autotask: the sandbox's log shows no write (rule 3.8)."""

from datetime import date
from decimal import Decimal

import pytest

from portal import local_data
from portal.extensions import db
from portal.local_data import NewInvoice, NotAllowed
from portal.models import AuditEvent, Invoice
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
    customer = local_data.create_customer(ACTOR, "Made here", "USD")
    new = NewInvoice(customer.id, "P-1", date(2026, 11, 1), date(2026, 12, 1), Decimal("50.00"))
    local_data.create_invoice(ACTOR, new)
    local_data.change_invoice(ACTOR, synced, Decimal("90.00"), date(2026, 12, 24))
    local_data.archive(ACTOR, "invoice", [synced.id])
    local_data.restore(ACTOR, "invoice", [synced.id])
    local_data.archive(ACTOR, "customer", [customer.id])
    db.session.commit()
    from portal.models import Integration

    for kind in ("new", "unpaid", "all"):
        sync(one(Integration), kind, "schedule")

    assert [call.method for call in empty.requests if call.method in WRITES] == []
    assert {row["companyName"] for row in empty.rows("Companies")} >= {"Contoso"}
    assert "Made here" not in {row["companyName"] for row in empty.rows("Companies")}


def test_every_change_is_in_the_audit_log(synced: Invoice) -> None:
    local_data.change_invoice(ACTOR, synced, Decimal("90.00"), synced.due_on)
    db.session.commit()
    (event,) = rows(AuditEvent, event="invoice.changed")
    assert event.details["before"]["amount_due"].startswith("100.00")
    assert event.details["after"]["amount_due"].startswith("90.00")


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_amount_must_be_more_than_zero(synced: Invoice, amount: str) -> None:
    with pytest.raises(NotAllowed, match="more than zero"):
        local_data.change_invoice(ACTOR, synced, Decimal(amount), None)


def test_a_paid_invoice_cannot_be_changed(synced: Invoice, empty: Sandbox) -> None:
    """Rule 3.7."""
    from portal.models import Integration

    empty.change_invoice(synced.autotask_id, paidDate=date(2026, 11, 20))
    sync(one(Integration), "unpaid", "schedule")
    with pytest.raises(NotAllowed, match="Only an unpaid invoice"):
        local_data.change_invoice(ACTOR, one(Invoice), Decimal(5), None)


def test_archiving_twice_changes_nothing(synced: Invoice) -> None:
    assert local_data.archive(ACTOR, "invoice", [synced.id]) == [synced.id]
    assert local_data.archive(ACTOR, "invoice", [synced.id]) == []
