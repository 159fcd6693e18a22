"""A payment's money comes back: Autotask's paid date is cleared, or a person is told why the invoice stays closed."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal import ledger, own_records
from portal.access.tenancy import scoped
from portal.attention import decisions
from portal.extensions import db
from portal.models import ExceptionItem, Happened, Invoice
from portal.payments import life, recording
from portal.queries import exceptions
from tests import factories
from tests.both_sides import Both

DAY, LATER, THEIRS = date(2026, 11, 19), date(2026, 11, 24), date(2026, 11, 21)


def pay(both: Both, invoice: Invoice, *, pending: bool = True) -> Any:
    return factories.payment((factories.refreshed(invoice), "100.00"), method="ach", pending=pending)


def happen(payment: Any, kind: str, amount: str = "") -> None:
    new = life.NewEvent(Happened(kind), LATER, Decimal(amount) if amount else None, "R01")
    life.happen(factories.ACTOR, payment.id, new)
    db.session.commit()


def items(state: str = "open") -> list[ExceptionItem]:
    db.session.expire_all()
    return list(db.session.scalars(scoped(ExceptionItem).where(ExceptionItem.state == state)))


def change(invoice: Invoice, **values: object) -> None:
    for name, value in values.items():
        setattr(invoice, name, value)
    db.session.flush()
    ledger.restate([invoice.id])
    db.session.commit()


def test_money_on_its_way_is_told_when_it_arrives(both: Both) -> None:
    invoice = both.invoice()
    payment = pay(both, invoice)
    assert (both.deliver(), both.shown(invoice)) == (0, None)
    happen(payment, "settled")
    both.deliver()
    assert both.shown(invoice) == DAY


def test_what_comes_back_clears_the_paid_date(both: Both) -> None:
    invoice = both.invoice()
    payment = pay(both, invoice, pending=False)
    both.deliver()
    happen(payment, "refunded", "0.01")
    both.deliver()
    assert both.shown(invoice) is None
    assert factories.refreshed(invoice).outstanding == Decimal("0.01")
    assert factories.refreshed(invoice).agreement == "agrees"
    happen(payment, "charged_back")
    assert (both.deliver(), both.shown(invoice), items()) == (0, None, [])
    assert factories.refreshed(invoice).outstanding == 100


def test_money_that_fails_after_autotasks_people_called_it_paid_is_asked_about(both: Both) -> None:
    invoice = both.invoice()
    payment = pay(both, invoice)
    both.set_paid(invoice, THEIRS)
    change(invoice, autotask_paid_on=THEIRS, autotask_read_at=datetime.now(UTC))
    happen(payment, "failed")
    both.deliver()
    assert both.shown(invoice) == THEIRS
    told = items()
    assert len(told) == 1
    item = told[0]
    assert (item.kind, item.cause, item.subject_type) == ("came_back", "paid_mark_changed", "payment")
    assert "100.00 USD of a payment of 19 Nov 2026 failed on 24 Nov 2026." in item.detail.replace("\xa0", " ")
    assert exceptions.by_cause() == {"came_back": 1}
    assert decisions.act(factories.ACTOR, item, "clear").words == "The date is cleared now."
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) is None
    assert (items(), factories.refreshed(invoice).status) == ([], "open")


def test_keeping_autotasks_date_decides_it(both: Both) -> None:
    invoice = both.invoice()
    payment = pay(both, invoice, pending=False)
    both.deliver()
    both.set_paid(invoice, THEIRS)
    change(invoice, autotask_paid_on=THEIRS, autotask_read_at=datetime.now(UTC))
    happen(payment, "charged_back")
    kinds = {item.kind: item for item in items()}
    assert "came_back" in kinds
    decisions.act(factories.ACTOR, kinds["came_back"], "keep")
    db.session.commit()
    both.deliver()
    ledger.restate([invoice.id])
    db.session.commit()
    assert both.shown(invoice) == THEIRS
    assert (items(), factories.refreshed(invoice).shown_on(LATER)) == ([], "settled")


@pytest.mark.parametrize("closed", ["voided", "archived", "missing"])
def test_money_that_comes_back_of_an_invoice_closed_elsewhere_is_told_until_it_is_open_again(
    both: Both, closed: str
):
    invoice = both.invoice()
    payment = pay(both, invoice)
    if closed == "archived":
        own_records.archive(factories.ACTOR, "invoice", [invoice.id])
        db.session.commit()
    else:
        change(
            invoice,
            **{"voided": {"is_voided": True}, "missing": {"missing_since": datetime.now(UTC)}}[closed],
        )
    happen(payment, "failed")
    [item] = items()
    assert (item.kind, item.invoice_id, exceptions.NAMES[item.kind][:5]) == ("came_back", invoice.id, "Money")
    assert {"voided": "voided", "archived": "archived", "missing": "no longer in Autotask"}[
        closed
    ] in item.detail
    if closed == "archived":
        own_records.restore(factories.ACTOR, "invoice", [invoice.id])
        db.session.commit()
    else:
        change(invoice, is_voided=False, missing_since=None)
    assert [one.kind for one in items("resolved")][-1:] == ["came_back"]
    assert items() == []


def test_giving_back_what_was_paid_for_a_voided_invoice_ends_its_exception(both: Both) -> None:
    invoice = both.invoice()
    payment = pay(both, invoice, pending=False)
    change(invoice, is_voided=True)
    assert [item.kind for item in items()] == ["voided_with_payments"]
    happen(payment, "refunded")
    assert items() == []


def test_another_payment_ends_it_as_well_and_a_persons_reason_holds(both: Both) -> None:
    first, second = both.invoice(), both.invoice(number="INV-2")
    for invoice in (first, second):
        payment = pay(both, invoice)
        change(invoice, missing_since=datetime.now(UTC))
        happen(payment, "failed")
    asked, said = items()
    decisions.resolve(factories.ACTOR, [said], "The customer closed down.")
    db.session.commit()
    change(second, comments="read again")
    assert [item.id for item in items()] == [asked.id]
    change(first, missing_since=None)
    change(first, archived_at=None)
    assert items() == []
    assert recording.why_not_payable(factories.refreshed(first)) is None


def test_giving_back_what_was_paid_too_much_asks_nobody(both: Both) -> None:
    """Other money still covers the invoice: nobody has to ask for this again."""
    invoice = both.invoice()
    payment = pay(both, invoice, pending=False)
    change(invoice, amount_due=Decimal(80), total_raw=Decimal(80), archived_at=datetime.now(UTC))
    happen(payment, "refunded", "20.00")
    assert factories.refreshed(invoice).outstanding == 0
    assert [item for item in items() if item.kind == "came_back"] == []
    happen(payment, "refunded", "5.00")
    assert [item.kind for item in items()] == ["came_back"]
