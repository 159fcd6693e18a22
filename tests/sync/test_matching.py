"""The secondary role: nothing comes in, the portal's own invoices are matched (rule 6)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from flask import current_app

from portal import clock, connect
from portal.extensions import db
from portal.imports import runs as imports
from portal.imports.given import GivenCustomer, GivenInvoice
from portal.models import Customer, Delivery, ExceptionItem, ImportKind, Integration, Invoice, Payment
from portal.payments import recording
from portal.reconcile import deliver, sweep
from portal.sync import manual
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import ACTOR, one, rows, sync


@pytest.fixture
def company(empty: Sandbox) -> int:
    return empty.add_company(companyName="Contoso")


@pytest.fixture
def secondary(empty: Sandbox, connect) -> Integration:
    return connect(empty, role="secondary")


def here(number: str, amount: str = "100.00", **values) -> Invoice:
    """An invoice that another system brought in."""
    return factories.invoice(factories.customer(), amount, number=number, **values)


def there(empty: Sandbox, company: int, number: str, amount: str = "100.00", **values) -> int:
    return empty.add_invoice(companyID=company, invoiceNumber=number, invoiceTotal=amount, **values)


def causes() -> list[str]:
    return [item.cause for item in rows(ExceptionItem, state="open")]


def test_autotask_brings_in_no_customers_and_no_invoices(secondary, empty: Sandbox, company: int) -> None:
    there(empty, company, "INV-1")
    for kind in ("all", "new", "unpaid", "customers"):
        assert sync(secondary, kind).state == "completed"
    assert rows(Customer) == rows(Invoice) == []


def test_a_unique_match_is_joined(secondary, empty: Sandbox, company: int) -> None:
    key = there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    row = one(Invoice)
    assert (row.autotask_id, row.integration_id) == (key, secondary.id)
    assert causes() == []


def test_with_the_autotask_id_the_number_here_is_the_id_there(connect, empty: Sandbox, company: int) -> None:
    key = there(empty, company, "OTHER")
    here(str(key))
    sync(connect(empty, role="secondary", identifier="id"), "new", "schedule")
    assert one(Invoice).autotask_id == key


def test_another_identifier_changes_no_number_of_the_own_system(
    secondary, empty: Sandbox, company: int
) -> None:
    """Rule 6: that system is the source of truth; the identifier says what is looked for."""
    there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    assert connect.set_identifier(ACTOR, secondary, "id") == 0
    db.session.commit()
    assert (one(Invoice).number, one(Integration).identifier) == ("INV-1", "id")


def test_several_are_an_exception(secondary, empty: Sandbox, company: int) -> None:
    there(empty, company, "INV-1")
    there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    assert one(Invoice).autotask_id is None
    assert causes() == ["match_several"]


def test_none_is_an_exception_that_closes_when_one_appears(secondary, empty: Sandbox, company: int) -> None:
    here("INV-1")
    sync(secondary, "new", "schedule")
    assert causes() == ["match_none"]
    there(empty, company, "INV-1")
    sync(secondary, "new", "schedule")
    assert causes() == []


@pytest.mark.parametrize(("number", "amount"), [("inv-1", "100.00"), ("INV-1", "100.01")])
def test_only_an_exact_number_and_amount_match(
    secondary, empty: Sandbox, company: int, number: str, amount: str
) -> None:
    there(empty, company, number, amount)
    here("INV-1")
    sync(secondary, "new", "schedule")
    assert one(Invoice).autotask_id is None
    assert causes() == ["match_none"]


def test_another_currency_does_not_match(secondary, empty: Sandbox, company: int) -> None:
    there(empty, company, "INV-1")
    factories.invoice(factories.customer(currency="EUR"), "100.00", number="INV-1")
    sync(secondary, "new", "schedule")
    assert one(Invoice).autotask_id is None
    assert "it is in USD there and in EUR here" in one(ExceptionItem).detail


def test_a_matched_invoice_paid_in_autotask_is_settled_here(secondary, empty: Sandbox, company: int) -> None:
    """Rules 5.9 and 6."""
    key = there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    empty.change_invoice(key, paidDate=date(2026, 11, 20), invoiceNumber="RENUMBERED")

    sync(secondary, "unpaid", "schedule")

    row = one(Invoice)
    assert (row.status, row.number, row.amount_due) == ("paid", "INV-1", Decimal(100))


def test_a_payment_of_a_matched_invoice_reaches_autotask(secondary, empty: Sandbox, company: int) -> None:
    """Rules 5.5 and 6: the other system owns the invoice, and Autotask gets its payment status."""
    key = there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")

    factories.payment((one(Invoice), "100.00"), on=date(2026, 11, 19))
    deliver.deliver_due()

    shown = empty.invoice(key)
    assert shown is not None
    assert shown["paidDate"][:10] == "2026-11-19"
    assert one(Delivery).state == "confirmed"


def test_filters_are_optional_and_do_not_keep_a_match_out(connect, empty: Sandbox, company: int) -> None:
    """Rule 6: what the portal holds came from another system, so Autotask's attributes do not choose."""
    there(empty, company, "INV-1")
    here("INV-1")
    sync(connect(empty, role="secondary", filters={"company_types": [99]}), "new", "schedule")
    assert one(Invoice).autotask_id is not None


def test_a_secondary_integration_refuses_manual_syncs_everywhere(secondary) -> None:
    """Rules 3.5 and 6."""
    for kind, name in manual.NAMES.items():
        with pytest.raises(manual.Refused, match=f"{name} exists only where Autotask is the primary"):
            manual.press(secondary, kind, "button", ACTOR)


def test_a_new_invoice_is_told_what_will_happen_to_it(secondary, browse, at) -> None:
    customer = factories.customer(name="Contoso")
    clerk = browse("clerk")
    typed = {"customer_id": customer.id, "number": "INV-9", "issued_on": "2026-11-02", "amount_due": "80.00"}
    made = " ".join(clerk.post(at("/invoice-edits/new"), data=typed, follow_redirects=True).text.split())
    assert "The next sync looks for its counterpart in Autotask" in made
    assert "each sync looks there for the invoice numbered INV-9" in made
    assert "never goes to Autotask" not in made
    db.session.get_one(Integration, (secondary.tenant_id, secondary.id)).role = "primary"
    db.session.commit()
    page = " ".join(clerk.get(at(f"/invoices/{one(Invoice).id}")).text.split())
    assert "This invoice was made here. It is never sent to Autotask." in page


def test_back_to_primary_nothing_is_looked_for_any_more(secondary, empty: Sandbox, company: int) -> None:
    here("INV-1")
    sync(secondary, "new", "schedule")
    assert causes() == ["match_none"]
    as_primary(empty)
    assert causes() == []
    assert "no longer looked for there" in one(ExceptionItem).resolution


def as_primary(empty: Sandbox) -> Integration:
    request = connect.ConnectRequest("billing@example.com", empty.username, empty.secret, "number", "primary")
    connect.save_connection(ACTOR, request, connect.check(request, current_app.config))
    db.session.commit()
    return one(Integration)


def test_an_adopted_invoice_stays_with_its_customer_while_money_is_on_it(
    secondary, empty: Sandbox, company: int
) -> None:
    for number in ("PAID", "UNPAID"):
        there(empty, company, number)
        here(number)
    sync(secondary, "new", "schedule")
    paid = one(Invoice, number="PAID")
    payment = factories.payment((paid, "40.00"))
    theirs = {row.number: row.customer_id for row in rows(Invoice)}
    primary = as_primary(empty)
    sync(primary, "all")
    autotasks = one(Customer, name="Contoso").id
    now = {row.number: row.customer_id for row in rows(Invoice)}
    assert now == {"PAID": theirs["PAID"], "UNPAID": autotasks}
    assert one(Payment).customer_id == now["PAID"]
    recording.delete(ACTOR, payment.id, "Bounced")
    db.session.commit()
    sync(primary, "all", "retry")
    assert one(Invoice, number="PAID").customer_id == autotasks


def test_an_invoice_that_the_own_system_voided_stays_voided_whatever_autotask_says(
    secondary, empty: Sandbox, company: int
) -> None:
    key = there(empty, company, "INV-1")
    imports.put(ACTOR, ImportKind.CUSTOMERS, GivenCustomer("C-1", "Contoso", "USD"))
    given = GivenInvoice("I-1", "C-1", "INV-1", "USD", date(2026, 11, 1), Decimal("100.00"))
    imports.put(ACTOR, ImportKind.INVOICES, given)
    db.session.commit()
    sync(secondary, "new", "schedule")
    assert one(Invoice).autotask_id == key
    imports.put(ACTOR, ImportKind.INVOICES, replace(given, voided=True))
    db.session.commit()
    sync(secondary, "unpaid", "schedule")
    assert (one(Invoice).status, one(Invoice).autotask_id) == ("voided", key)
    imports.put(ACTOR, ImportKind.INVOICES, given)
    db.session.commit()
    assert one(Invoice).status == "open"


def test_what_the_own_system_gave_is_never_overwritten_by_autotask(
    secondary, empty: Sandbox, company: int
) -> None:
    """Rule 6: neither a delivery nor the sweep takes amounts or an end of the void from there."""
    there(empty, company, "INV-1")
    imports.put(ACTOR, ImportKind.CUSTOMERS, GivenCustomer("C-1", "Contoso", "USD"))
    given = GivenInvoice("I-1", "C-1", "INV-1", "USD", date(2026, 11, 1), Decimal("100.00"))
    imports.put(ACTOR, ImportKind.INVOICES, given)
    db.session.commit()
    sync(secondary, "new", "schedule")
    payment = factories.payment((one(Invoice), "100.00"), on=date(2026, 11, 19))
    deliver.deliver_due()
    assert one(Delivery).state == "confirmed"
    imports.put(ACTOR, ImportKind.INVOICES, replace(given, net=Decimal("150.00")))
    db.session.commit()
    deliver.deliver_due()
    db.session.expire_all()
    assert (one(Invoice).amount_due, one(Invoice).status, one(Delivery).state) == (
        150,
        "part_paid",
        "confirmed",
    )
    assert empty.invoice(one(Invoice).autotask_id)["paidDate"] is None
    recording.delete(ACTOR, payment.id, "Returned")
    imports.put(ACTOR, ImportKind.INVOICES, replace(given, net=Decimal("150.00"), voided=True))
    db.session.commit()
    deliver.deliver_due()
    db.session.query(Delivery).update({"look_at": clock.now()})
    db.session.commit()
    sweep.compare_due()
    db.session.expire_all()
    assert (one(Invoice).status, one(Invoice).amount_due) == ("voided", 150)
