"""A file of what became of payments: which payment each row means, once, and what it costs."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from portal import clock
from portal.extensions import db
from portal.models import Customer, Happened, Invoice, Payment
from portal.payments import event_upload, life, recording
from portal.payments.written_days import Order
from tests import factories

HEADING = "Payment ID,Reference,What happened,Date,Amount\n"
AGAIN = (
    "The same is recorded already, of this day and amount. "
    "If it happened twice, record the second on the payment's page."
)


@pytest.fixture
def customer(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Customer]:
    monkeypatch.setattr(clock, "today", lambda _: date(2026, 11, 24))
    with app.app_context(), factories.inside(factories.tenant()):
        yield factories.customer(factories.integration(app))


def pay(customer: Customer, amount: str = "100.00", **values: Any) -> Payment:
    return factories.payment((factories.invoice(customer, amount), amount), **values)


def happen(payment: Payment, kind: str, amount: str = "") -> None:
    new = life.NewEvent(Happened(kind), date(2026, 11, 24), Decimal(amount) if amount else None)
    life.happen(factories.ACTOR, payment.id, new)
    db.session.commit()


def look(*rows: str) -> event_upload.Preview:
    return event_upload.preview(HEADING + "".join(f"{row}\n" for row in rows), Order.MONTH_FIRST)


def record(shown: event_upload.Preview, key: str = "k" * 24) -> int | None:
    made = event_upload.record(factories.ACTOR, shown, key=key)
    db.session.commit()
    return made


def errors(*rows: str) -> list[list[str]]:
    return [row.errors for row in look(*rows).rows]


def test_a_file_uploaded_again_refunds_nothing_again(customer: Customer) -> None:
    payment = pay(customer)
    row = f"{payment.id},,refunded,2026-11-24,30.00"
    assert record(look(row)) == 1
    assert errors(row) == [[AGAIN]]
    for other in ("refunded,2026-11-23,30.00", "refunded,2026-11-24,30.01", "charged back,2026-11-24,30.00"):
        assert errors(f"{payment.id},,{other}") == [[]], other
    assert record(look(f"{payment.id},,refunded,2026-11-24,70.00"), "l" * 24) == 1
    assert errors(row) == [["All of this payment was refunded already."]]


def test_a_payment_id_with_the_reference_of_another_is_refused(customer: Customer) -> None:
    payment = pay(customer, reference="batch-7/1")
    assert errors(f"{payment.id},batch-7/2,failed,2026-11-24,") == [
        ["This Payment ID belongs to a payment with another reference. Correct one of the two."]
    ]
    for said in ("batch-7/1", ""):
        assert errors(f"{payment.id},{said},failed,2026-11-24,") == [[]]


def test_the_same_file_again_does_not_fail_the_next_payment_of_its_reference(customer: Customer) -> None:
    first, _ = pay(customer, reference="rent"), pay(customer, reference="other")
    happen(first, "failed")
    second = pay(customer, reference="rent")
    several = ["Several payments have this reference. Use the column Payment ID instead."]
    assert errors(",rent,failed,2026-11-24,") == [several]
    wrong = pay(customer, reference="once")
    recording.delete(factories.ACTOR, wrong.id, "typed wrongly")
    right = pay(customer, reference="once")
    [row] = look(",once,failed,2026-11-24,").rows
    assert (row.payment and row.payment.id, row.errors) == (right.id, [])
    recording.delete(factories.ACTOR, second.id, "typed wrongly")
    db.session.commit()
    assert errors(",rent,failed,2026-11-24,") == [["This payment failed already."]]


def test_of_many_payments_with_one_reference_two_are_read(customer: Customer) -> None:
    for _ in range(4):
        pay(customer, "1.00", reference="ACH")
    db.session.expunge_all()
    read: list[int] = []

    def note(payment: Payment, _: Any) -> None:
        read.append(payment.id)

    event.listen(Payment, "load", note)
    try:
        assert errors(",ACH,failed,2026-11-24,") == [
            ["Several payments have this reference. Use the column Payment ID instead."]
        ]
    finally:
        event.remove(Payment, "load", note)
    assert len(read) == 2


def test_a_file_keeps_the_partners_audit_log_for_itself_only_while_it_writes_there(
    customer: Customer, asked: Any
) -> None:
    """All others of the partner wait for that lock; and what costs a statement is asked once for all rows."""
    payments = [pay(customer) for _ in range(3)]
    db.session.query(Invoice).update({"archived_at": clock.now()})
    db.session.commit()
    shown = look(*(f"{one.id},,failed,2026-11-24," for one in payments))
    said = asked(lambda: record(shown))
    from_the_lock = said[next(i for i, sql in enumerate(said) if "pg_advisory_xact_lock(8101" in sql) :]
    assert [sql for sql in from_the_lock if "audit_" not in sql and "xact_lock(8101" not in sql] == []
    assert sum("AS closed_as" in sql and "CASE" in sql for sql in said) == 1
    assert sum("INSERT INTO exception_item" in sql for sql in said) == 3
