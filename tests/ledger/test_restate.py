"""What follows from an invoice's rows: rules 4.2, 5.5 and 5.9."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from portal import ledger
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Customer, Delivery, ExceptionItem, Invoice, Settlement
from portal.payments import recording
from tests import factories

PAID_THERE = date(2026, 11, 10)


@pytest.fixture
def customer(app) -> Iterator[Customer]:
    with app.app_context(), factories.inside(factories.tenant()):
        yield factories.customer(factories.integration(app))


def autotask_says(invoice: Invoice, **values: object) -> Invoice:
    """A later read of the invoice, as a sync page writes it."""
    for name, value in {"autotask_read_at": datetime.now(UTC), **values}.items():
        setattr(invoice, name, value)
    db.session.flush()
    ledger.restate([invoice.id])
    db.session.commit()
    return factories.refreshed(invoice)


def delivery_of(invoice: Invoice) -> Delivery | None:
    db.session.expire_all()
    return db.session.scalar(scoped(Delivery).where(Delivery.invoice_id == invoice.id))


def confirm(invoice: Invoice, *, ours: bool = True) -> None:
    """The delivery reached Autotask and was read back."""
    delivery = delivery_of(invoice)
    delivery.state, delivery.done_version = "confirmed", delivery.wish_version
    delivery.our_mark_on = delivery.wish_paid_on if ours else None
    autotask_says(invoice, autotask_paid_on=delivery.wish_paid_on)


def open_causes() -> set[str]:
    return set(
        db.session.scalars(
            scoped(ExceptionItem).with_only_columns(ExceptionItem.cause).where(ExceptionItem.state == "open")
        )
    )


def test_a_part_payment_lowers_the_outstanding_and_sends_nothing(customer):
    """Rule 5.5: while part-paid, nothing is sent."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "40.00"))
    invoice = factories.refreshed(invoice)
    assert (invoice.outstanding, invoice.status) == (Decimal("60.00"), "part_paid")
    assert delivery_of(invoice) is None


def test_the_last_payment_makes_the_wish_with_the_date_of_the_last_payment(customer):
    """Rule 5.5."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "40.00"), on=date(2026, 11, 19))
    factories.payment((invoice, "60.00"), on=date(2026, 11, 17))
    delivery = delivery_of(invoice)
    assert (delivery.wish_paid_on, delivery.state, delivery.wish_version) == (
        date(2026, 11, 19),
        "waiting",
        1,
    )
    assert factories.refreshed(invoice).agreement == "waiting"


def test_deleting_a_payment_wishes_unpaid_in_a_new_version(customer):
    invoice = factories.invoice(customer, "100.00")
    payment = factories.payment((invoice, "100.00"))
    confirm(invoice)
    recording.delete(factories.ACTOR, payment.id, "typed twice")
    db.session.commit()
    delivery = delivery_of(invoice)
    assert (delivery.wish_paid_on, delivery.wish_version, delivery.state) == (None, 2, "waiting")
    assert factories.refreshed(invoice).outstanding == Decimal("100.00")


def test_paid_in_autotask_without_a_payment_here_is_settled_there(customer):
    """Rules 4.2 and 5.9, first row."""
    invoice = autotask_says(factories.invoice(customer, "100.00"), autotask_paid_on=PAID_THERE)
    assert (invoice.outstanding, invoice.settled_amount, invoice.status) == (0, Decimal("100.00"), "paid")
    entry = db.session.scalars(scoped(Settlement)).one()
    assert (entry.amount, entry.settled_on, entry.removed_at) == (Decimal("100.00"), PAID_THERE, None)
    assert delivery_of(invoice) is None


def test_a_settled_invoice_that_becomes_unpaid_there_is_open_again(customer):
    """Rules 4.2 and 5.9, second row: the entry goes with the paid date."""
    invoice = autotask_says(factories.invoice(customer, "100.00"), autotask_paid_on=PAID_THERE)
    invoice = autotask_says(invoice, autotask_paid_on=None)
    assert (invoice.outstanding, invoice.status) == (Decimal("100.00"), "open")
    assert db.session.scalars(scoped(Settlement)).one().removed_at is not None


def test_part_paid_here_and_paid_there_settles_the_rest(customer):
    """Rule 5.9, fifth row."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "40.00"))
    invoice = autotask_says(invoice, autotask_paid_on=PAID_THERE)
    assert (invoice.settled_amount, invoice.outstanding) == (Decimal("60.00"), 0)
    assert delivery_of(invoice) is None


def test_a_confirmed_invoice_set_unpaid_there_differs_and_is_not_sent_again(customer):
    """Rule 5.9, fourth row: never silently undone."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    confirm(invoice)
    assert factories.refreshed(invoice).agreement == "agrees"
    invoice = autotask_says(invoice, autotask_paid_on=None)
    assert invoice.agreement == "differs"
    assert delivery_of(invoice).state == "confirmed"
    assert open_causes() == {"unpaid_in_autotask"}


def test_the_exception_closes_by_itself_when_autotask_shows_the_date_again(customer):
    """Rule 3.4."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    confirm(invoice)
    autotask_says(invoice, autotask_paid_on=None)
    invoice = autotask_says(invoice, autotask_paid_on=date(2026, 11, 19))
    assert invoice.agreement == "agrees"
    assert open_causes() == set()


def test_a_raised_total_opens_the_difference_and_wishes_unpaid(customer):
    """Rule 5.9, sixth row, and conflict 8: the paid date that we wrote is to be cleared."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    confirm(invoice)
    invoice = autotask_says(invoice, total_raw=Decimal("120"), amount_due=Decimal("120"))
    assert (invoice.outstanding, invoice.status) == (Decimal("20.00"), "part_paid")
    assert delivery_of(invoice).wish_paid_on is None


def test_a_lowered_total_is_overpaid_and_stays_paid(customer):
    """Rule 5.9, sixth row, and conflict 9."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    confirm(invoice)
    invoice = autotask_says(invoice, total_raw=Decimal("90"), amount_due=Decimal("90"))
    assert (invoice.outstanding, invoice.status) == (Decimal("-10.00"), "paid")
    assert open_causes() == {"overpaid"}


def test_a_voided_invoice_keeps_its_payment_and_is_an_exception(customer):
    """Rules 3.9 and 5.9, last row."""
    invoice = factories.invoice(customer, "100.00")
    payment = factories.payment((invoice, "40.00"))
    invoice = autotask_says(invoice, is_voided=True)
    assert (invoice.status, invoice.agreement) == ("voided", "differs")
    assert factories.refreshed(payment).deleted_at is None
    assert open_causes() == {"voided_with_payments"}
    recording.delete(factories.ACTOR, payment.id, "Moved to the new invoice")
    assert (factories.refreshed(invoice).agreement, open_causes()) == ("voided", set())


def test_an_early_date_set_there_while_ours_waits_stays_for_the_worker_to_confirm(customer):
    """Rule 5.9, third row: the worker reads first and sends nothing."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    invoice = autotask_says(invoice, autotask_paid_on=PAID_THERE)
    assert (delivery_of(invoice).state, invoice.settled_amount, open_causes()) == ("waiting", 0, set())


def test_a_later_date_set_there_asks_whether_the_customer_paid_twice(customer):
    """Conflict 3: both facts are kept."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    invoice = autotask_says(invoice, autotask_paid_on=date(2026, 11, 21))
    assert open_causes() == {"paid_twice"}


def test_a_date_changed_by_their_bookkeeper_is_accepted(customer):
    """Conflict 5."""
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    confirm(invoice)
    invoice = autotask_says(invoice, autotask_paid_on=date(2026, 11, 21))
    assert (invoice.agreement, open_causes(), delivery_of(invoice).wish_version) == ("agrees", set(), 1)


def test_a_payment_deleted_after_their_bookkeeper_changed_the_date_is_asked_about(customer):
    """D4: a date set there is never cleared by itself (rule 5.6)."""
    invoice = factories.invoice(customer, "100.00")
    payment = factories.payment((invoice, "100.00"))
    confirm(invoice)
    autotask_says(invoice, autotask_paid_on=date(2026, 11, 21))
    recording.delete(factories.ACTOR, payment.id, "bounced check")
    db.session.commit()
    assert open_causes() == {"paid_mark_changed"}


def test_a_negative_total_is_a_credit_and_never_settled(customer):
    """Rule 4.3 and conflict 11."""
    invoice = autotask_says(factories.invoice(customer, "-25.00"), autotask_paid_on=PAID_THERE)
    assert (invoice.status, invoice.settled_amount, invoice.outstanding) == ("credit", 0, Decimal("-25.00"))


def test_a_zero_total_is_paid_without_a_wish(customer):
    """Conflict 12."""
    invoice = factories.invoice(customer, "0")
    assert (invoice.status, delivery_of(invoice)) == ("paid", None)


def test_restating_twice_changes_nothing(customer):
    invoice = factories.invoice(customer, "100.00")
    factories.payment((invoice, "100.00"))
    before = db.session.execute(select(Delivery.wish_version, Delivery.wished_at)).all()
    ledger.restate([invoice.id])
    db.session.commit()
    assert db.session.execute(select(Delivery.wish_version, Delivery.wished_at)).all() == before


def test_an_invoice_made_in_the_portal_is_never_wished_for(customer):
    """Rule 3.8."""
    local = factories.customer(None)
    invoice = factories.invoice(local, "10.00")
    factories.payment((invoice, "10.00"))
    assert (delivery_of(invoice), factories.refreshed(invoice).agreement) == (None, "portal_only")


def test_a_new_totals_mode_changes_every_amount_once(customer):
    """Rule 1.6: the amount due always includes tax."""
    invoice = factories.invoice(customer, "100.00", total_raw=Decimal("100"), tax_raw=Decimal("8.125"))
    assert ledger.recompute_amounts(customer.integration_id, "without_tax") == 1
    db.session.commit()
    assert factories.refreshed(invoice).amount_due == Decimal("108.13")
    assert ledger.recompute_amounts(customer.integration_id, "without_tax") == 0
