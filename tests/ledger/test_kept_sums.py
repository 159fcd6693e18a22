"""What every page adds up is kept, exactly, whoever changes the rows and however many do so at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text

from bench import books
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.ledger import kept_sums
from portal.models import Customer, CustomerSum, Invoice, InvoiceSum, PaymentSum, Tenant
from portal.payments import idempotency, recording
from portal.payments.recording import NewPayment
from tests import factories

DAY = date(2026, 11, 19)


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


def pay(invoice_id: int, amount: str, key: str) -> None:
    new = NewPayment([(invoice_id, Decimal(amount))], "check", DAY, old_day_confirmed=True)
    recording.record_once(factories.ACTOR, new, idempotency.claim("payment", key, new.body))
    db.session.commit()


def kept(model: Any, *columns: Any) -> list[tuple[Any, ...]]:
    rows = db.session.execute(select(*columns).where(model.tenant_id == db.session.scalar(select(Tenant.id))))
    return sorted(tuple(row) for row in rows)


def test_a_payment_moves_its_invoice_from_one_sum_to_another(app: Flask, partner: Tenant) -> None:
    customer = factories.customer(factories.integration(app))
    invoice = factories.invoice(customer, "100")
    factories.invoice(customer, "-30")
    pay(invoice.id, "40", "k")
    kept_sums.mend()  # nothing to mend
    sums = select(InvoiceSum.status, func.sum(InvoiceSum.invoices), func.sum(InvoiceSum.outstanding))
    assert {
        (status, int(number), amount)
        for status, number, amount in db.session.execute(sums.group_by(InvoiceSum.status))
        if number
    } == {("part_paid", 1, Decimal(60)), ("credit", 1, Decimal(-30))}
    owed = select(
        func.sum(CustomerSum.outstanding), func.sum(CustomerSum.invoices), func.sum(CustomerSum.credit)
    )
    assert tuple(db.session.execute(owed).one()) == (60, 1, -30)
    assert kept(PaymentSum, PaymentSum.paid_on, PaymentSum.payments, PaymentSum.amount) == [(DAY, 1, 40)]


def test_many_payments_folds_and_repairs_at_once_lose_nothing_and_wait_for_no_one(
    app: Flask, partner: Tenant
) -> None:
    source = factories.integration(app)
    customers = [factories.customer(source) for _ in range(3)]
    ids = [factories.invoice(customers[n % 3], "100").id for n in range(24)]
    tenant_id = partner.id
    db.session.commit()

    def work(number: int) -> None:
        with app.app_context(), tenant_scope(tenant_id):
            if number % 4 == 3:
                kept_sums.mend()
            elif number % 8 == 2:
                db.session.execute(
                    text(kept_sums.folded(kept_sums.KEPT[number % 3])), {"tenant_id": tenant_id}
                )
                db.session.commit()
            else:
                pay(ids[number % 24], "1", f"k-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(96)))
    assert kept_sums.differences() == []
    assert db.session.scalar(select(func.sum(PaymentSum.payments))) == 60


def test_folding_leaves_one_row_a_key_and_the_same_sums(app: Flask, partner: Tenant) -> None:
    invoice = factories.invoice(factories.customer(factories.integration(app)), "1000")
    db.session.commit()
    for number in range(60):
        pay(invoice.id, "1", f"k-{number}")
    rows = select(func.count()).select_from(InvoiceSum)
    assert (db.session.scalar(rows) or 0) > kept_sums.FEW
    kept_sums.fold()
    assert db.session.scalar(rows) == 1
    assert kept_sums.differences() == []


def test_every_way_of_writing_is_counted(
    app: Flask, partner: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    """By SQL, by COPY, archived, moved to another customer, deleted: also by what knows nothing of sums."""
    source = factories.integration(app)
    one, other = factories.customer(source), factories.customer(source)
    db.session.commit()
    books.fill(superuser, partner.id, source.id, 40)
    with (
        superuser.cursor() as cursor,
        cursor.copy(
            "COPY invoice (tenant_id, customer_id, number, issued_on, currency, total_raw, amount_due) FROM STDIN"
        ) as rows,
    ):
        for number in range(3):
            rows.write_row((partner.id, one.id, f"C-{number}", DAY, "EUR", number, number))
    for change in (
        f"UPDATE invoice SET customer_id = {other.id} WHERE customer_id = {one.id}",
        "UPDATE invoice SET archived_at = now() WHERE id % 3 = 0",
        "UPDATE invoice SET is_voided = true, agreement = 'voided' WHERE id % 5 = 0",
        "UPDATE payment SET deleted_at = now(), deleted_reason = 'bounced' WHERE id % 2 = 0",
        "DELETE FROM invoice WHERE autotask_id IS NULL",
    ):
        superuser.execute(change)
        assert kept_sums.differences() == []
        db.session.commit()


def test_a_sum_that_went_wrong_is_named_and_mended(
    app: Flask, partner: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    customer = factories.customer(factories.integration(app))
    factories.invoice(customer, "100")
    db.session.commit()
    superuser.execute("UPDATE invoice_sum SET outstanding = outstanding - 1")
    superuser.execute("DELETE FROM customer_sum")
    found = kept_sums.differences()
    assert [(one.table, one.missing) for one in found] == [
        ("invoice_sum", "0 1.0000"),
        ("customer_sum", "1 100.0000 0"),
    ]
    kept_sums.mend()
    assert kept_sums.differences() == []


def test_the_migration_and_the_code_mean_the_same_sums(app: Flask, partner: Tenant) -> None:
    """The triggers of 0029 wrote what `missing` compares: over every status, also archived and deleted ones."""
    source = factories.integration(app)
    customer = factories.customer(source)
    for amount in ("100", "-5", "0"):
        factories.invoice(customer, amount)
        factories.invoice(customer, amount, is_voided=True, voided_on=DAY)
    db.session.commit()
    assert {status for (status,) in kept(InvoiceSum, InvoiceSum.status)} == {
        "open",
        "credit",
        "paid",
        "voided",
    }
    assert kept_sums.differences() == []
    assert db.session.scalar(select(func.count()).select_from(Invoice)) == 6
    assert db.session.scalar(select(func.count()).select_from(Customer)) == 1
