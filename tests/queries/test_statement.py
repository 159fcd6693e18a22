"""What a customer's statement says is what the books say (rule 4.1)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from portal import ledger
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Happened
from portal.payments import life, recording
from portal.queries import statement
from portal.queries.statement import Statement
from portal.queries.statement_period import LATEST, Asked, Span, asked
from portal.queries.statement_rows import Kind
from tests import factories
from tests.ledger.operations import Books

TODAY = date(2026, 11, 20)
NOVEMBER = Span(date(2026, 11, 1), date(2026, 11, 30))
ALWAYS = Span(date(1990, 1, 1), LATEST)
# What the ledger holds of a customer: of a voided invoice only what was paid for it, of an archived one nothing.
LEDGER = """
    SELECT currency, sum(outstanding - CASE WHEN is_voided THEN amount_due ELSE 0 END) FROM invoice
    WHERE customer_id = :customer_id AND archived_at IS NULL GROUP BY currency"""


@pytest.fixture
def partner(app: Flask) -> Any:
    with app.app_context(), tenant_scope(factories.tenant().id):
        yield


def told(customer: Any, span: Span = NOVEMBER) -> list[tuple[Any, ...]]:
    return [(row.kind, row.amount, row.balance) for row in statement.every(customer.id, span, "UTC")]


def test_a_period_goes_from_its_opening_to_its_closing_balance(app: Flask, partner: Any) -> None:
    customer = factories.customer()
    before = factories.invoice(customer, "100.00", issued_on=date(2026, 10, 31), number="OLD")
    factories.payment((before, "40.00"), on=date(2026, 10, 31))
    now = factories.invoice(customer, "250.00", issued_on=date(2026, 11, 1))
    factories.invoice(customer, "-30.00", issued_on=date(2026, 11, 3))
    factories.payment((before, "60.00"), (now, "50.00"), on=date(2026, 11, 19), reference="ch_1")
    factories.invoice(customer, "999.00", issued_on=date(2026, 12, 1))

    (sums,) = statement.sums(customer.id, NOVEMBER, "UTC")
    assert (sums.opening, sums.closing, sums.entries) == (Decimal(60), Decimal(170), 3)
    assert sums.parts == [("Opening balance", 60), ("Invoices", 250), ("Credits", -30), ("Payments", -110)]
    assert told(customer) == [(Kind.INVOICE, 250, 310), (Kind.CREDIT, -30, 280), (Kind.PAYMENT, -110, 170)]
    paid = statement.every(customer.id, NOVEMBER, "UTC")[-1]
    assert (paid.invoices, paid.of_one, paid.method, paid.reference) == (2, False, "check", "ch_1")


def test_what_failed_was_refunded_or_charged_back_is_a_line_of_its_own_day_and_all_lines_add_up(
    app: Flask, partner: Any
) -> None:
    customer = factories.customer()
    one, two = (
        factories.invoice(customer, amount, issued_on=date(2026, 11, 2)) for amount in ("100.00", "80.00")
    )
    kept = factories.payment((one, "70.00"), (two, "80.00"), on=date(2026, 11, 3), reference="ch_1")
    bounced = factories.payment((one, "30.00"), on=date(2026, 11, 4))
    typed_twice = factories.invoice(customer, "5.00", issued_on=date(2026, 11, 2))
    error = factories.payment((typed_twice, "5.00"), on=date(2026, 11, 3))
    for payment, kind, on, amount in (
        (kept, Happened.REFUNDED, date(2026, 11, 6), Decimal(90)),
        (kept, Happened.REFUNDED, date(2026, 11, 6), Decimal(10)),
        (bounced, Happened.FAILED, date(2026, 11, 8), None),
        (kept, Happened.CHARGED_BACK, date(2026, 11, 9), None),
        (error, Happened.REFUNDED, date(2026, 11, 9), Decimal(1)),
    ):
        life.happen(factories.ACTOR, payment.id, life.NewEvent(kind, on, amount))
    recording.delete(factories.ACTOR, error.id, "typed twice")
    db.session.commit()
    assert told(customer)[3:] == [
        (Kind.PAYMENT, -150, 35), (Kind.PAYMENT, -30, 5), (Kind.REFUNDED, 90, 95), (Kind.REFUNDED, 10, 105),
        (Kind.FAILED, 30, 135), (Kind.CHARGED_BACK, 50, 185),
    ]  # fmt: skip
    lines = statement.every(customer.id, NOVEMBER, "UTC")
    assert [row.payment_id for row in lines[3:]] == [
        kept.id,
        bounced.id,
        kept.id,
        kept.id,
        bounced.id,
        kept.id,
    ]
    assert (lines[-1].reference, lines[5].of_one) == ("ch_1", False)
    (sums,) = statement.sums(customer.id, NOVEMBER, "UTC")
    assert sums.parts == [
        ("Opening balance", 0), ("Invoices", 185), ("Payments", -180), ("Payments that failed", 30), ("Refunds", 100),
        ("Charge-backs", 50),
    ]  # fmt: skip
    assert sums.closing == statement.open_sums(customer.id, TODAY)[0].closing == Decimal(185)
    first = statement.page(customer.id, NOVEMBER, "UTC", {}, 6)
    rest = statement.page(customer.id, NOVEMBER, "UTC", {"older": first.older}, 6)
    assert [*first.rows, *rest.rows] == lines


def test_each_currency_stands_by_itself(app: Flask, partner: Any) -> None:
    customer = factories.customer()
    factories.invoice(customer, "100.00")
    factories.invoice(customer, "7000", currency="JPY")
    factories.invoice(factories.customer(), "5.00")
    assert [(s.currency, s.closing) for s in statement.sums(customer.id, NOVEMBER, "UTC")] == [
        ("JPY", 7000),
        ("USD", 100),
    ]
    assert [(s.currency, s.closing) for s in statement.open_sums(customer.id, TODAY)] == [
        ("JPY", 7000),
        ("USD", 100),
    ]


def test_deleted_payments_and_voided_invoices_are_not_there_and_money_for_them_is(
    app: Flask, partner: Any
) -> None:
    customer = factories.customer()
    voided, kept = factories.invoice(customer, "100.00"), factories.invoice(customer, "80.00")
    factories.payment((voided, "25.00"))
    gone = factories.payment((kept, "80.00"))
    recording.delete(factories.ACTOR, gone.id, "bounced")
    voided.is_voided = True
    ledger.restate([voided.id, kept.id])
    db.session.commit()
    assert told(customer) == [(Kind.INVOICE, 80, 80), (Kind.PAYMENT, -25, 55)]
    assert [(row.open_amount, row.is_left_over) for row in statement.open_every(customer.id, TODAY)] == [
        (Decimal(-25), True),
        (Decimal(80), False),
    ]


def test_an_archived_invoice_is_asked_for_until_the_partners_day_on_which_it_was_archived(
    app: Flask, partner: Any
) -> None:
    customer = factories.customer()
    row = factories.invoice(customer, "100.00", issued_on=date(2026, 10, 1))
    factories.payment((row, "30.00"), on=date(2026, 10, 2))
    row.archived_at = datetime(2026, 11, 1, 3, tzinfo=UTC)
    db.session.commit()
    assert told(customer) == [(Kind.ARCHIVED, -70, 0)]
    assert statement.sums(customer.id, NOVEMBER, "America/New_York") == []
    assert statement.open_every(customer.id, TODAY) == []


def test_what_autotask_settled_is_a_payment(app: Flask, partner: Any) -> None:
    customer = factories.customer(factories.integration(app))
    factories.invoice(customer, "100.00", autotask_paid_on=date(2026, 11, 5))
    assert told(customer) == [(Kind.INVOICE, 100, 100), (Kind.SETTLED, -100, 0)]


def test_open_invoices_say_how_late_they_are(app: Flask, partner: Any) -> None:
    customer = factories.customer()
    factories.invoice(customer, "100.00", due_on=TODAY - timedelta(days=9))
    factories.invoice(customer, "50.00", due_on=TODAY)
    factories.invoice(customer, "-20.00", due_on=TODAY - timedelta(days=90))
    assert [(row.days_late, row.running) for row in statement.open_every(customer.id, TODAY)] == [
        (9, 100),
        (0, 150),
        (0, 130),
    ]
    (sums,) = statement.open_sums(customer.id, TODAY)
    assert sums.parts == [("Overdue", 100), ("Not due yet", 50), ("Credit left", -20)]
    assert (sums.owed, sums.overdue, sums.left_over, sums.closing) == (150, 100, 20, 130)


@pytest.mark.parametrize("span", [NOVEMBER, None])
def test_pages_carry_the_balance_on(app: Flask, partner: Any, span: Span | None) -> None:
    customer = factories.customer()
    for _ in range(7):
        factories.invoice(customer, "10.00")
    one, args, seen = Statement(customer.id, span, TODAY, "UTC"), {"older": ""}, []
    while True:
        found = one.page(args, 3)
        seen += list(found.rows)
        if not found.older:
            break
        assert one.is_place(found.older)
        args = {"older": found.older}
    assert seen == one.every()
    assert [row.carried for row in seen] == [Decimal(10 * n) for n in range(1, 8)]
    assert not one.is_place("USD~x")


@pytest.mark.parametrize("seed", range(3))
def test_in_random_books_opening_and_what_happened_is_closing_and_all_of_it_is_the_ledger(
    app: Flask, partner: Any, seed: int
) -> None:
    random = Random(seed)
    integration = factories.integration(app)
    customers = [
        factories.customer(of, currency=currency)
        for currency, of in {"USD": integration, "JPY": None, "KWD": integration}.items()
    ]
    books = Books(customers, random, 40)
    books.play(300)
    scattered(random)
    ledger.restate(sorted(books.invoices))
    db.session.commit()
    for customer in customers:
        adds_up(customer.id, random)


def scattered(random: Random) -> None:
    """Every day is another one; some invoices are voided, some archived."""
    db.session.execute(text("SELECT setseed(:seed)"), {"seed": random.random()})
    day = "date '2026-01-01' + CAST(random() * 300 AS int)"
    for table, name in (
        ("invoice", "issued_on"),
        ("payment", "paid_on"),
        ("payment_event", "happened_on"),
        ("settlement", "settled_on"),
    ):
        db.session.execute(text(f"UPDATE {table} SET {name} = {day}"))
    db.session.execute(text("UPDATE invoice SET is_voided = true WHERE random() < 0.1"))
    db.session.execute(text(f"UPDATE invoice SET archived_at = {day} WHERE random() < 0.1"))


def adds_up(customer_id: int, random: Random) -> None:
    books = dict(db.session.execute(text(LEDGER), {"customer_id": customer_id}).all())
    for span in [ALWAYS, *(some_span(random) for _ in range(8))]:
        entries = statement.every(customer_id, span, "UTC")
        for sums in statement.sums(customer_id, span, "UTC"):
            own = [row for row in entries if row.currency == sums.currency]
            assert sums.opening + sum(row.amount for row in own) == sums.closing
            assert sums.opening + sum(sums.moved.values()) == sums.closing
            assert len(own) == sums.entries
            assert not own or own[-1].balance == sums.closing
            assert not own or own[0].balance == sums.opening + own[0].amount
    closing = {sums.currency: sums.closing for sums in statement.sums(customer_id, ALWAYS, "UTC")}
    assert {**dict.fromkeys(books, 0), **closing} == books
    now = {sums.currency: sums.closing for sums in statement.open_sums(customer_id, TODAY)}
    assert {**dict.fromkeys(books, 0), **now} == books
    assert any(books.values())


def some_span(random: Random) -> Span:
    first = date(2026, 1, 1) + timedelta(days=random.randrange(300))
    return Span(first, first + timedelta(days=random.randrange(90)))


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ({}, Asked(None)),
        ({"from": "2026-11-01", "until": "2026-11-30"}, Asked(NOVEMBER)),
        ({"from": "2026-11-01"}, Asked(Span(NOVEMBER.first, TODAY))),
        ({"until": "2026-11-30"}, Asked(Span(ALWAYS.first, NOVEMBER.last))),
        ({"from": "2026-12-24"}, Asked(Span(date(2026, 12, 24), date(2026, 12, 24)))),
    ],
)
def test_an_address_says_which_days(args: dict[str, str], wanted: Asked) -> None:
    assert asked(args, TODAY) == wanted


@pytest.mark.parametrize(
    "args", [{"from": "2026-02-30"}, {"until": "x"}, {"from": "1800-01-01"}, {"from": "2026-11-30", "until": "2026-11-01"}]
)  # fmt: skip
def test_days_that_cannot_be_read_are_told(args: dict[str, str]) -> None:
    assert asked(args, TODAY).fault
