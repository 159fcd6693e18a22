"""Ours beside Autotask's: each row is judged from two values that can differ, and says so when they do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import select

from portal import ledger
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Delivery, Integration, Invoice
from portal.queries import both_sides, delivery_detail, invoice_detail
from tests import factories

DAY, ANOTHER = date(2026, 11, 19), date(2026, 11, 12)


@pytest.fixture
def customer(app: Flask) -> Iterator[Customer]:
    with app.test_request_context():
        g.partner = factories.tenant()
        with factories.inside(g.partner):
            yield factories.customer(factories.integration(app, totals_mode="with_tax"))


def stored(customer: Customer, *, paid: str = "", confirmed: bool = False, **values: Any) -> Invoice:
    """An invoice of 100.00, and what a payment of it made Autotask be told."""
    invoice = factories.invoice(customer, "100.00")
    if paid:
        factories.payment((invoice, paid), on=DAY)
    delivery = db.session.scalar(scoped(Delivery).where(Delivery.invoice_id == invoice.id))
    if confirmed and delivery:
        delivery.state, delivery.our_mark_on = "confirmed", delivery.wish_paid_on
    for name, value in values.items():
        setattr(invoice, name, value)
    db.session.flush()
    ledger.restate([invoice.id])
    db.session.commit()
    return factories.refreshed(invoice)


def states(invoice: Invoice) -> dict[str, str]:
    db.session.expire_all()
    return {row.label: row.state for row in invoice_detail.of(invoice).both_sides.rows}


# A row: what makes its two values the same, and stored cases of both sides in which they are not.
PAID: dict[str, Any] = {"paid": "100.00", "confirmed": True}
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "Amount, USD": ({}, [{"total_raw": Decimal("90.00")}, {"amount_due": Decimal("110.00")}]),
    "Due": ({}, [{"autotask_due_on": DAY}, {"due_on": None}, {"autotask_due_on": None}]),
    "Paid": ({**PAID, "autotask_paid_on": DAY}, [PAID]),
}
AGREEING = [(label, same) for label, (same, _) in CASES.items()]
DIFFERING = [(label, case) for label, (_, cases) in CASES.items() for case in cases]


@pytest.mark.parametrize(("label", "case"), AGREEING)
def test_a_row_agrees_where_autotask_said_what_the_portal_acts_on(
    customer: Customer, label: str, case: dict[str, Any]
) -> None:
    assert states(stored(customer, **case))[label] == "agrees"


@pytest.mark.parametrize(("label", "case"), DIFFERING)
def test_a_row_differs_where_only_one_of_its_two_values_is_another(
    customer: Customer, label: str, case: dict[str, Any]
) -> None:
    assert states(stored(customer, **case))[label] == "differs"


def test_for_every_row_there_is_a_stored_case_in_which_it_differs(customer: Customer) -> None:
    """A field that is held against itself cannot have one."""
    sides = invoice_detail.of(stored(customer)).both_sides
    rows = [field(sides) for field in both_sides.FIELDS]
    assert all(rows)
    assert {row.label for row in rows if row} == {label for label, _ in DIFFERING}


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ({}, "agrees"),
        ({"paid": "40.00"}, "agrees"),
        ({"paid": "100.00"}, "waiting"),
        ({**PAID, "autotask_paid_on": ANOTHER}, "agrees"),
        ({**PAID, "is_voided": True}, "differs"),
        ({"autotask_read_at": None}, "unknown"),
    ],
    ids=["unpaid", "part paid", "on its way", "their own date", "voided although paid", "never read"],
)
def test_paid_is_judged_by_what_autotask_shall_show(
    customer: Customer, case: dict[str, Any], state: str
) -> None:
    assert states(stored(customer, **case))["Paid"] == state


@pytest.mark.parametrize(
    "case",
    [
        {},
        {**PAID, "autotask_paid_on": DAY},
        {"total_raw": Decimal(90), "autotask_due_on": None},
        {"paid": "100.00"},
    ],
    ids=["unpaid", "paid on both sides", "another amount", "on its way"],
)
def test_what_is_no_longer_in_autotask_agrees_and_differs_in_nothing(
    customer: Customer, case: dict[str, Any]
) -> None:
    """The last read stays to be seen, and every row says what the badge above says."""
    invoice = stored(customer, **case, missing_since=datetime(2026, 11, 20, tzinfo=UTC))
    assert set(states(invoice).values()) == {invoice.agreement}


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"autotask_paid_on": DAY}, ("Paid in Autotask", "19 Nov 2026")),
        ({"paid": "40.00", "autotask_paid_on": DAY}, ("Paid in Autotask", "19 Nov 2026")),
        ({"is_voided": True, "voided_on": ANOTHER}, ("Voided in Autotask", "12 Nov 2026")),
        ({"amount_due": Decimal(-5), "total_raw": Decimal(-5), "autotask_paid_on": DAY},
         ("Paid in Autotask", "19 Nov 2026")),
    ],
    ids=["settled", "rest settled", "voided", "credit"],
)  # fmt: skip
def test_what_only_autotask_says_is_told_and_claims_no_agreement(
    customer: Customer, case: dict[str, Any], told: tuple[str, str]
) -> None:
    invoice = stored(customer, **case)
    assert invoice_detail.of(invoice).both_sides.told_by_autotask == [told]
    assert not {"Paid", "Voided"} & set(states(invoice))


def test_a_matched_invoice_has_its_amount_from_another_system_so_only_paid_is_compared(
    customer: Customer,
) -> None:
    """Rule 6: what stands here of amount and due date never came from Autotask."""
    integration = db.session.scalars(select(Integration)).one()
    integration.role = "secondary"
    invoice = stored(customer, autotask_due_on=ANOTHER)
    assert states(invoice) == {"Paid": "agrees"}
    assert invoice_detail.of(invoice).both_sides.told_by_autotask == [("Due in Autotask", "12 Nov 2026")]


@pytest.mark.parametrize(
    ("case", "state"),
    [(PAID, "differs"), ({**PAID, "autotask_paid_on": DAY}, "agrees"),
     ({**PAID, "autotask_paid_on": DAY, "total_raw": Decimal(90)}, "agrees")],
)  # fmt: skip
def test_a_delivery_is_compared_by_its_own_field_alone(
    customer: Customer, case: dict[str, Any], state: str
) -> None:
    invoice = stored(customer, **case)
    delivery = db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice.id)).one()
    row = delivery_detail.of(delivery, {}).paid_row
    assert row
    assert row.state == state
