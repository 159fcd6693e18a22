"""Archiving an invoice that is no longer in Autotask closes what Autotask was still to be told about it."""

import pytest

from portal import own_records
from portal.extensions import db
from portal.models import Delivery, DeliveryState, ExceptionItem, Invoice
from portal.reconcile import by_hand
from portal.reconcile.by_hand import NotRetryable
from portal.reconcile.failures import Failure
from portal.reconcile.store import SqlStore
from portal.reconcile.work import Work
from tests.both_sides import Both
from tests.factories import ACTOR, refreshed


@pytest.fixture
def deleted(both: Both) -> Invoice:
    """Paid here in full, and deleted in Autotask before it was told."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.remove_invoice(invoice.autotask_id or 0)
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.PARKED
    assert set(both.exceptions()) == {"delivery_refused"}
    return refreshed(invoice)


def put(step, invoice: Invoice) -> None:
    step(ACTOR, "invoice", [invoice.id])
    db.session.commit()


def state(both: Both, invoice: Invoice) -> tuple[str, set[str]]:
    return both.delivery(invoice).state, set(both.exceptions())


@pytest.mark.parametrize("known_by", ["a complete read", "the delivery alone"])
def test_its_delivery_and_exception_close_with_a_sentence(
    both: Both, deleted: Invoice, known_by: str
) -> None:
    if known_by == "a complete read":
        deleted.missing_since = deleted.autotask_read_at
        db.session.commit()
    put(own_records.archive, deleted)
    assert state(both, deleted) == ("closed", set())
    said = "no longer in Autotask and was archived here"
    assert said in (both.delivery(deleted).error or "")
    assert said in (db.session.query(ExceptionItem).one().resolution or "")
    assert both.deliver() == 0
    with pytest.raises(NotRetryable, match="Take it out of the archive first"):
        by_hand.retry(ACTOR, both.delivery(deleted).id)
    db.session.rollback()


def test_restored_it_is_due_again(both: Both, deleted: Invoice) -> None:
    put(own_records.archive, deleted)
    put(own_records.restore, deleted)
    assert state(both, deleted) == ("waiting", set())
    both.deliver()
    assert state(both, deleted) == ("parked", {"delivery_refused"})


def test_one_under_way_is_closed_once_it_has_an_answer(both: Both) -> None:
    invoice = both.invoice()
    both.pay(invoice)
    claim = SqlStore().claim()
    invoice = refreshed(invoice)
    invoice.missing_since = invoice.autotask_read_at
    put(own_records.archive, invoice)
    assert both.delivery(invoice).state == DeliveryState.SENDING
    assert claim is not None
    SqlStore().fail(Work(claim, failure=Failure("not_found", "It is not there.", final=True)))
    assert state(both, invoice) == ("closed", set())


def test_an_invoice_that_is_in_autotask_is_told_although_it_was_archived(both: Both) -> None:
    invoice = both.invoice()
    both.pay(invoice)
    put(own_records.archive, refreshed(invoice))
    assert both.deliver() == 1
    assert db.session.query(Delivery).one().state == DeliveryState.CONFIRMED
