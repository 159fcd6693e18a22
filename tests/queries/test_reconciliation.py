"""The month adds up to the ledger, and the past keeps its answer (rule 5.8)."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from portal import attention, clock, ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Cause, Customer, Delivery, DeliveryAttempt, Happened, Invoice, Payment
from portal.payments import applying_credits, life, recording
from portal.queries import reconciliation
from portal.queries.period import Period, period_from
from tests import factories

NOVEMBER = Period(date(2026, 11, 1), None, "UTC")
DAY = date(2026, 11, 19)


@pytest.fixture
def books(app: Flask) -> Iterator[Callable[..., int]]:
    """Inside a partner; `books(amount)` makes an invoice of its one customer."""
    with app.app_context(), factories.inside(factories.tenant()):
        customer_id = factories.customer(factories.integration(app)).id

        def invoice(amount: str = "100.00", **values: object) -> int:
            customer = db.session.scalars(scoped(Customer).where(Customer.id == customer_id)).one()
            return int(factories.invoice(customer, amount, **values).id)

        yield invoice


def pay(invoice_id: int, amount: str, on: date = DAY, **values: Any) -> int:
    invoice = db.session.scalars(scoped(Invoice).where(Invoice.id == invoice_id)).one()
    return int(factories.payment((invoice, amount), on=on, method="ach", **values).id)


def happen(payment_id: int, kind: str, amount: Decimal | None = None) -> None:
    life.happen(factories.ACTOR, payment_id, life.NewEvent(Happened(kind), date(2026, 11, 29), amount))
    db.session.commit()


def confirm(invoice_id: int) -> None:
    delivery = db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice_id)).one()
    now = clock.now()
    db.session.add(
        DeliveryAttempt(
            tenant_id=delivery.tenant_id, delivery_id=delivery.id, wish_version=delivery.wish_version,
            wish_paid_on=delivery.wish_paid_on, outcome="confirmed", started_at=now, finished_at=now,
        )
    )  # fmt: skip
    delivery.state = "confirmed"
    db.session.commit()


def states(period: Period = NOVEMBER) -> dict[str, Decimal]:
    return {
        state.value: amount
        for one in reconciliation.sums(period)
        for state, amount in one.amounts.items()
        if amount
    }


def test_a_part_payment_is_posted_because_there_is_nothing_to_send(books: Callable[..., int]) -> None:
    pay(books(), "40.00")
    assert states() == {"posted": 40}


def test_a_full_payment_waits_until_autotask_has_confirmed_it(books: Callable[..., int]) -> None:
    invoice = books()
    pay(invoice, "100.00")
    assert states() == {"waiting": 100}
    confirm(invoice)
    assert states() == {"posted": 100}


def test_the_first_part_waits_again_when_the_last_one_comes(books: Callable[..., int]) -> None:
    invoice = books()
    pay(invoice, "40.00")
    pay(invoice, "60.00")
    assert states() == {"waiting": 100}


def test_stuck_differing_and_reversed_are_told_apart(books: Callable[..., int]) -> None:
    stuck, differing, gone = books(), books(), books()
    pay(stuck, "100.00")
    pay(differing, "100.00")
    recording.delete(factories.ACTOR, pay(gone, "30.00"), "Twice")
    attention.open_item(Cause.DELIVERY_PARKED, "delivery", "1", label="x", detail="x", invoice_id=stuck)
    attention.open_item(Cause.UNPAID_IN_AUTOTASK, "invoice", "2", label="x", detail="x", invoice_id=differing)
    assert states() == {"parked": 100, "differs": 100, "reversed": 30}


def test_credits_and_what_autotask_settled_stand_beside_the_payments(books: Callable[..., int]) -> None:
    credit, invoice = books("-50.00"), books()
    new = applying_credits.NewApplication(credit, [(invoice, Decimal("50.00"))], DAY)
    applying_credits.apply(factories.ACTOR, new)
    books("70.00", autotask_paid_on=date(2026, 11, 3))
    assert states() == {"credited": 50, "settled": 70}
    assert states(Period(date(2026, 10, 1), None, "UTC")) == {}


def test_all_months_add_up_to_what_the_invoices_say_is_paid(books: Callable[..., int]) -> None:
    """Added up another way: month by month here, invoice by invoice there."""
    dice = Random(5)
    recorded: list[int] = []
    for number in range(12):
        invoice = books(str(100 + number))
        for _ in range(dice.randint(0, 3)):
            recorded.append(pay(invoice, "30.00", date(2026, dice.randint(8, 11), dice.randint(1, 28))))
    back, failed, *deleted = dice.sample(recorded, 6)
    for payment_id in deleted:
        recording.delete(factories.ACTOR, payment_id, "Twice")
    happen(back, "refunded", Decimal(12))
    happen(failed, "failed")
    months = [reconciliation.sums(Period(date(2026, month, 1), None, "UTC")) for month in range(8, 12)]
    assert all(one.adds_up for month in months for one in month)
    here = sum(one.recorded for month in months for one in month)
    there = db.session.scalar(
        select(func.sum(Invoice.paid_amount)).where(Invoice.tenant_id == current_tenant_id())
    )
    assert here == there == 30 * (len(recorded) - 5) - 12
    assert sum(one.amounts["reversed"] for month in months for one in month) == 30 * 5 + 12


def test_a_past_date_keeps_its_answer_whatever_happens_later(books: Callable[..., int]) -> None:
    confirmed, waiting, gone, credited = books(), books(), books(), books()
    pay(confirmed, "100.00")
    confirm(confirmed)
    pay(waiting, "100.00")
    deleted_later = pay(gone, "10.00")
    refunded_later = pay(books(), "20.00")
    coming, fails = pay(books(), "100.00", pending=True), pay(books(), "5.00", pending=True)
    credit = books("-50.00")
    applying_credits.apply(
        factories.ACTOR, applying_credits.NewApplication(credit, [(credited, Decimal(50))], DAY)
    )
    books("70.00", autotask_paid_on=DAY)
    db.session.commit()
    _five_days_pass()
    past = Period(date(2026, 11, 1), clock.now().date() - timedelta(days=3), "UTC")
    before = [tuple(row) for row in db.session.execute(reconciliation.every(past))]
    assert states(past) == {"posted": 235, "waiting": 100, "credited": 50, "settled": 70}

    recording.delete(factories.ACTOR, deleted_later, "Bounced")
    happen(refunded_later, "refunded", Decimal(8))
    happen(coming, "settled")
    happen(fails, "failed")
    pay(gone, "25.00")
    confirm(waiting)
    attention.open_item(Cause.OVERPAID, "invoice", "1", label="x", detail="x", invoice_id=confirmed)
    db.session.commit()

    assert [tuple(row) for row in db.session.execute(reconciliation.every(past))] == before
    assert states() == {
        "posted": 137, "waiting": 100, "differs": 100, "reversed": 23, "credited": 50, "settled": 70,
    }  # fmt: skip
    assert [one.adds_up for period in (past, NOVEMBER) for one in reconciliation.sums(period)] == [True] * 2


def test_a_past_date_tells_the_amounts_numbers_and_names_of_then(books: Callable[..., int]) -> None:
    """Raised, lowered, renumbered and renamed later: what was paid in full then is not part-paid in hindsight."""
    raised, settled = books(number="OLD-1"), books("70.00", autotask_paid_on=DAY)
    pay(raised, "100.00")
    _five_days_pass()
    past = Period(date(2026, 11, 1), clock.now().date() - timedelta(days=3), "UTC")
    before = [tuple(row) for row in db.session.execute(reconciliation.every(past))]
    assert states(past) == {"waiting": 100, "settled": 70}

    for amount, number in (("150.00", "NEW-1"), ("180.00", "NEW-2")):
        change = {"amount": amount, "number": number, "ids": [raised, settled]}
        db.session.execute(
            text(
                "UPDATE invoice SET total_raw = :amount, amount_due = :amount, number = :number"
                " WHERE id = ANY(:ids)"
            ),
            change,
        )
    ledger.restate([raised, settled])
    db.session.execute(text("UPDATE customer SET name = 'Renamed'"))
    db.session.commit()

    assert [tuple(row) for row in db.session.execute(reconciliation.every(past))] == before
    assert states() == {"posted": 100, "settled": 180}
    assert {row.customer for row in db.session.execute(reconciliation.every(NOVEMBER))} == {"Renamed"}


@pytest.mark.parametrize(
    ("words", "first", "as_of"),
    [
        ({"month": "2026-02", "as_of": "2026-03-01"}, date(2026, 2, 1), date(2026, 3, 1)),
        ({"month": "2026-13"}, date(2026, 11, 1), None),
        ({"month": "0001-01", "as_of": "9999-12-31"}, date(2026, 11, 1), None),
        ({"as_of": "2026-11-22"}, date(2026, 11, 1), None),
    ],
)
def test_what_cannot_be_read_means_this_month_as_it_stands(
    words: dict[str, str], first: date, as_of: date | None
) -> None:
    period = period_from(words, date(2026, 11, 22), "UTC")
    assert (period.first, period.as_of) == (first, as_of)


def test_the_past_ends_at_midnight_of_the_partners_zone() -> None:
    period = Period(date(2026, 11, 1), date(2026, 11, 30), "America/New_York")
    assert str(period.until) == "2026-12-01 05:00:00+00:00"
    assert (period.last, period.previous) == (date(2026, 11, 30), date(2026, 10, 1))


def _five_days_pass() -> None:
    """Everything so far happened five days ago."""
    moved = {
        "payment": "recorded_at", "credit_application": "recorded_at", "settlement": "seen_at",
        "delivery_attempt": "started_at", "exception_item": "first_seen_at",
    }  # fmt: skip
    for table, column in moved.items():
        db.session.execute(text(f"UPDATE {table} SET {column} = {column} - interval '5 days'"))
    db.session.execute(text("UPDATE delivery_attempt SET finished_at = finished_at - interval '5 days'"))
    db.session.commit()
    assert db.session.scalar(
        select(func.count()).select_from(Payment).where(Payment.recorded_at < clock.now() - timedelta(days=4))
    )
