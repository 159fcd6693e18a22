"""What becomes of a payment: on its way, arrived, failed, refunded, charged back (rule 5.10)."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.ledger import kept_sums
from portal.models import AuditEvent, Delivery, ExceptionItem, Happened, Payment, PaymentEvent
from portal.operating import books
from portal.payments import life, life_rules, recording
from portal.payments.recording import AlreadyDeleted, NewPayment, PaymentRefused
from portal.queries import payment_life
from tests import factories

DAY, LATER = date(2026, 11, 19), date(2026, 11, 24)


@pytest.fixture
def customer(app):
    with app.app_context(), factories.inside(factories.tenant()):
        yield factories.customer(factories.integration(app))
        assert kept_sums.differences() == []
        assert books.sums().state == "ok"


def pay(*allocations, method="ach", pending=True):
    pairs = [(invoice.id, Decimal(amount)) for invoice, amount in allocations]
    new = NewPayment(pairs, method, DAY, old_day_confirmed=True, pending=pending)
    payment = recording.record(factories.ACTOR, new)
    db.session.commit()
    return payment


def happen(payment, kind, on=LATER, **more):
    life.happen(factories.ACTOR, payment.id, life.NewEvent(Happened(kind), on, **more))
    db.session.commit()
    return db.session.get_one(Payment, (payment.tenant_id, payment.id))


def refused(payment, kind, on=LATER, **more):
    with pytest.raises(PaymentRefused) as refusal:
        happen(payment, kind, on, **more)
    db.session.rollback()
    return refusal.value


def wish(invoice):
    db.session.expire_all()
    row = db.session.scalar(scoped(Delivery).where(Delivery.invoice_id == invoice.id))
    return row and row.wish_paid_on


def standing(invoice):
    row = factories.refreshed(invoice)
    return row.shown_on(DAY), str(row.outstanding), str(row.pending_amount)


def test_ach_on_its_way_pays_the_invoice_here_and_autotask_hears_of_it_once_it_arrived(customer):
    invoice = factories.invoice(customer, "100.00")
    payment = pay((invoice, "100.00"))
    assert (payment.state, payment.is_held) == ("pending", True)
    assert standing(invoice) == ("pending", "0.0000", "100.0000")
    assert wish(invoice) is None
    with pytest.raises(PaymentRefused):
        pay((invoice, "1.00"), method="check", pending=False)
    db.session.rollback()
    payment = happen(payment, "settled")
    assert (payment.state, payment.settled_on) == ("settled", LATER)
    assert standing(invoice) == ("paid", "0.0000", "0.0000")
    assert wish(invoice) == DAY


def test_what_the_partner_does_not_hold_back_is_told_at_once(customer):
    invoice, other = factories.invoice(customer, "100.00"), factories.invoice(customer, "50.00")
    pay((invoice, "100.00"), method="check")
    assert wish(invoice) == DAY
    pay((other, "50.00"), pending=False)
    assert wish(other) == DAY


def test_a_part_that_is_on_its_way_keeps_the_rest_from_being_told(customer):
    invoice = factories.invoice(customer, "100.00")
    pay((invoice, "60.00"), method="card", pending=False)
    waits = pay((invoice, "40.00"))
    assert wish(invoice) is None
    happen(waits, "settled")
    assert wish(invoice) == DAY


@pytest.mark.parametrize("arrived", [False, True])
def test_a_payment_that_fails_opens_its_invoices_again_and_clears_the_paid_date(customer, arrived):
    first, second = factories.invoice(customer, "100.00"), factories.invoice(customer, "50.00")
    payment = pay((first, "100.00"), (second, "20.00"))
    if arrived:
        happen(payment, "settled")
        assert wish(first) == DAY
    payment = happen(payment, "failed", reason="R01 insufficient funds")
    assert (payment.state, payment.amount) == ("failed", Decimal(120))
    assert [standing(one)[:2] for one in (first, second)] == [("open", "100.0000"), ("open", "50.0000")]
    assert wish(first) is None
    [*_, event] = payment.events
    assert (event.kind, event.happened_on, event.amount, event.ends) == ("failed", LATER, 120, True)
    assert event.reason == "R01 insufficient funds"
    assert [(part.invoice_id, part.amount) for part in event.parts] == [(first.id, 100), (second.id, 20)]
    told = db.session.scalars(select(AuditEvent.details).where(AuditEvent.event == "payment.failed")).one()
    assert (told["amount"], told["happened_on"]) == ("120.00", "2026-11-24")


def test_a_refund_takes_from_the_newest_allocation_first_and_ends_with_the_last_cent(customer):
    first, second = factories.invoice(customer, "100.00"), factories.invoice(customer, "50.00")
    payment = pay((first, "100.00"), (second, "50.00"), method="card", pending=False)
    payment = happen(payment, "refunded", amount=Decimal(70))
    assert (payment.state, payment.amount, payment.recorded_amount) == ("part_refunded", 80, 150)
    assert [standing(one)[:2] for one in (first, second)] == [("part_paid", "20.0000"), ("open", "50.0000")]
    assert (wish(first), wish(second)) == (None, None)
    payment = happen(payment, "charged_back")
    assert (payment.state, payment.amount, payment.recorded_amount) == ("charged_back", 80, 150)
    assert standing(first)[:2] == ("open", "100.0000")
    assert [event.amount for event in payment.events] == [70, 80]


def test_a_refund_opens_the_invoices_that_the_person_says(customer):
    first, second = factories.invoice(customer, "100.00"), factories.invoice(customer, "50.00")
    payment = pay((first, "100.00"), (second, "50.00"), method="card", pending=False)
    happen(payment, "refunded", parts=[(first.id, Decimal(30))])
    assert (wish(first), wish(second)) == (None, DAY)
    assert standing(first)[:2] == ("part_paid", "30.0000")
    elsewhere = factories.invoice(customer, "10.00")
    assert refused(payment, "refunded", parts=[(elsewhere.id, Decimal(5))]).field == "allocations"
    assert refused(payment, "refunded", parts=[(first.id, Decimal(80))]).field == "allocations"
    assert refused(payment, "refunded", amount=Decimal(9), parts=[(first.id, Decimal(8))])
    recording.delete(factories.ACTOR, payment.id, "typed wrongly")
    db.session.commit()
    assert standing(first)[:2] == ("open", "100.0000")


def test_what_cannot_have_happened_is_refused_in_words(customer):
    invoice = factories.invoice(customer, "100.00")
    payment = pay((invoice, "60.00"))
    for kind in ("refunded", "charged_back"):
        assert "still on its way" in str(refused(payment, kind))
    assert "before the payment" in str(refused(payment, "settled", date(2026, 11, 18)))
    assert "after today" in str(refused(payment, "settled", date(2099, 1, 1)))
    assert "fails as a whole" in str(refused(payment, "failed", amount=Decimal(1)))
    happen(payment, "settled")
    assert isinstance(refused(payment, "settled"), AlreadyDeleted)
    assert "Only 60.00" in str(refused(payment, "refunded", amount=Decimal(61)))
    assert "more digits" in str(refused(payment, "refunded", amount=Decimal("0.001")))
    assert "more than zero" in str(refused(payment, "refunded", amount=Decimal("NaN")))
    happen(payment, "refunded")
    for kind in Happened:
        assert isinstance(refused(payment, kind), AlreadyDeleted)
    with pytest.raises(AlreadyDeleted):
        recording.delete(factories.ACTOR, payment.id, "twice")
    db.session.rollback()
    arrived = pay((invoice, "10.00"), pending=False)
    assert "not recorded as on its way" in str(refused(arrived, "settled"))
    assert db.session.scalar(select(PaymentEvent.id).where(PaymentEvent.payment_id == arrived.id)) is None
    assert db.session.scalars(scoped(ExceptionItem)).all() == []


def test_a_payment_to_which_too_much_happened_can_be_deleted(customer, monkeypatch):
    invoice = factories.invoice(customer, "100.00")
    payment = pay((invoice, "60.00"), pending=False)
    happen(payment, "refunded", amount=Decimal(10))
    monkeypatch.setattr(life_rules, "MOST_EVENTS", 1)
    assert str(refused(payment, "refunded", amount=Decimal(10))) == (
        "1 things happened to this payment already. It takes no more: delete the payment with the reason, which opens "
        "what is left of it."
    )
    recording.delete(factories.ACTOR, payment.id, "refunded day by day")
    db.session.commit()
    assert standing(invoice)[:2] == ("open", "100.0000")


def test_a_deleted_payment_is_not_on_its_way(customer):
    payment = pay((factories.invoice(customer, "100.00"), "60.00"))
    recording.delete(factories.ACTOR, payment.id, "typed wrongly")
    db.session.commit()
    assert (payment.is_held, payment_life.sentence(payment)) == (False, "")
