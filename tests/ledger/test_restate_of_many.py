"""What is derived for some invoices is derived from their own rows, and for no others."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from portal import ledger
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import CreditApplication, Customer, Delivery, Invoice, Settlement
from tests import factories

DAY = date(2026, 11, 10)


@pytest.fixture
def customer(app) -> Iterator[Customer]:
    with app.app_context(), factories.inside(factories.tenant()):
        yield factories.customer(factories.integration(app))


def restated(*invoices: Invoice) -> list[Invoice]:
    ledger.restate([one.id for one in invoices])
    db.session.commit()
    return [factories.refreshed(one) for one in invoices]


def rows(model: Any, invoice: Invoice) -> list[dict[str, Any]]:
    """All values of an invoice's rows of this kind."""
    db.session.expire_all()
    key = model.id if model is Invoice else model.invoice_id
    found = db.session.scalars(scoped(model).where(key == invoice.id).order_by(model.id))
    return [
        {column.key: getattr(row, column.key) for column in model.__mapper__.column_attrs} for row in found
    ]


def as_they_stand(invoice: Invoice) -> list[Any]:
    return [rows(model, invoice) for model in (Invoice, Delivery, Settlement)]


def apply(
    credit: Invoice, invoice: Invoice, amount: str, on: date, removed_at: datetime | None = None
) -> None:
    db.session.add(
        CreditApplication(
            tenant_id=invoice.tenant_id, credit_invoice_id=credit.id, invoice_id=invoice.id, amount=Decimal(amount),
            applied_on=on, removed_at=removed_at,
        )
    )  # fmt: skip


def set_raw(invoice: Invoice, values: str) -> None:
    db.session.execute(text(f"UPDATE invoice SET {values} WHERE id = :id"), {"id": invoice.id})
    db.session.commit()


def test_no_other_invoice_is_touched_however_wrong_it_stands(customer: Customer) -> None:
    mine, paid, settled = (factories.invoice(customer, "100.00") for _ in range(3))
    factories.payment((mine, "40.00"))
    factories.payment((paid, "30.00"))
    set_raw(settled, f"autotask_paid_on = '{DAY}'")
    restated(settled)
    set_raw(paid, "paid_amount = 100, agreement = 'differs'")
    set_raw(settled, "settled_amount = 7")
    set_raw(mine, "paid_amount = 1, agreement = 'differs'")
    before = [as_they_stand(one) for one in (paid, settled)]

    (mine,) = restated(mine)

    assert [as_they_stand(one) for one in (paid, settled)] == before
    assert (mine.paid_amount, mine.agreement) == (Decimal(40), "agrees")
    paid, settled = restated(paid, settled)
    assert (paid.paid_amount, paid.agreement, settled.settled_amount) == (Decimal(30), "agrees", Decimal(100))
    assert len(rows(Delivery, paid)) == 0


def test_credits_count_for_the_invoice_and_the_credit_they_were_applied_with(customer: Customer) -> None:
    """And their newest day is the one that is wished, where it is later than the last payment's."""
    first, second = (factories.invoice(customer, "100.00") for _ in range(2))
    one, other = (factories.invoice(customer, "-80.00") for _ in range(2))
    apply(one, first, "10.00", date(2026, 11, 5))
    apply(other, first, "20.00", date(2026, 11, 20))
    apply(other, first, "5.00", date(2026, 11, 25), removed_at=datetime(2026, 11, 26).astimezone())
    apply(one, second, "30.00", date(2026, 11, 28))
    db.session.commit()
    first, second, one, other = restated(first, second, one, other)
    assert [row.credited_amount for row in (first, second, one, other)] == [30, 30, 0, 0]
    assert [row.applied_amount for row in (first, second, one, other)] == [0, 0, 40, 20]
    factories.payment((first, "70.00"), on=DAY)
    factories.payment((second, "69.99"), on=DAY)
    assert [row["wish_paid_on"] for row in rows(Delivery, first)] == [date(2026, 11, 20)]
    assert rows(Delivery, second) == []
    factories.payment((second, "0.01"), on=date(2026, 11, 29))
    assert [row["wish_paid_on"] for row in rows(Delivery, second)] == [date(2026, 11, 29)]


def test_a_settlement_ends_once_and_only_with_its_amount_or_its_day(customer: Customer) -> None:
    invoice, other = (factories.invoice(customer, "100.00") for _ in range(2))
    for values in (f"autotask_paid_on = '{DAY}'", "autotask_paid_on = '2026-11-11'", "amount_due = 90"):
        set_raw(invoice, values)
        set_raw(other, f"autotask_paid_on = '{DAY}'")
        restated(invoice, other)
    before = rows(Settlement, invoice), rows(Settlement, other)
    assert [(row["amount"], row["settled_on"], row["removed_at"] is None) for row in before[0]] == [
        (100, DAY, False),
        (100, date(2026, 11, 11), False),
        (90, date(2026, 11, 11), True),
    ]
    assert len(before[1]) == 1
    restated(invoice, other)
    assert (rows(Settlement, invoice), rows(Settlement, other)) == before


@pytest.mark.parametrize("why", ["parked", "changed here", "set back there", "not cleared there", "none"])
def test_each_reason_alone_makes_both_sides_differ(customer: Customer, why: str) -> None:
    invoice, _ = (factories.invoice(customer, "100.00") for _ in range(2))
    payment = factories.payment((invoice, "100.00"))
    state = "parked" if why == "parked" else "confirmed"
    db.session.execute(
        text("UPDATE delivery SET state = :state, our_mark_on = wish_paid_on, done_version = wish_version"),
        {"state": state},
    )
    set_raw(invoice, "autotask_paid_on = '2026-11-19'")
    if why == "changed here":
        set_raw(invoice, "locally_changed_at = now()")
    if why == "set back there":
        set_raw(invoice, "autotask_paid_on = NULL")
    if why == "not cleared there":
        db.session.execute(
            text("UPDATE allocation SET amount = 99 WHERE payment_id = :id"), {"id": payment.id}
        )
        db.session.execute(text("UPDATE payment SET amount = 99 WHERE id = :id"), {"id": payment.id})
        restated(invoice)
        db.session.execute(text("UPDATE delivery SET state = 'confirmed'"))
    (invoice,) = restated(invoice)
    assert invoice.agreement == ("agrees" if why == "none" else "differs")


def test_another_total_than_was_paid_changes_what_autotask_is_told(customer: Customer) -> None:
    """Amounts that follow from a new totals mode are derived from like any other."""
    invoice = factories.invoice(customer, "100.00", total_raw=Decimal("100"), tax_raw=Decimal("8"))
    factories.payment((invoice, "100.00"))
    assert [row["wish_paid_on"] for row in rows(Delivery, invoice)] == [date(2026, 11, 19)]
    assert ledger.recompute_amounts(customer.integration_id, "without_tax") == 1
    db.session.commit()
    assert factories.refreshed(invoice).outstanding == 8
    assert [row["wish_paid_on"] for row in rows(Delivery, invoice)] == [None]
