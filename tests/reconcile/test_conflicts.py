"""Who wins when both sides changed (rule 5.9 and the conflict rules B4), through real steps and a sandbox."""

from datetime import date
from decimal import Decimal

import pytest

from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryState
from portal.payments import recording
from portal.reconcile import by_hand, sweep
from portal.reconcile.decide import reading_of
from portal.reconcile.store import clock_timestamp
from tests.both_sides import Both
from tests.factories import ACTOR, refreshed

DAY, EARLIER, LATER = date(2026, 11, 19), date(2026, 11, 12), date(2026, 11, 24)


def writes(both: Both) -> list[str]:
    return [call.verb for call in both.sandbox.requests if call.verb in ("patch", "put")]


def delete(payment) -> None:  # type: ignore[no-untyped-def]
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()


def paid_and_confirmed(both: Both):  # type: ignore[no-untyped-def]
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    both.sandbox.clear_requests()
    return invoice, payment


def look(both: Both, invoice) -> int:  # type: ignore[no-untyped-def]
    """The sweep, now: what a sync page would tell as well."""
    row = both.delivery(invoice)
    row.look_at = row.wished_at
    db.session.commit()
    return sweep.compare_due()


@pytest.mark.parametrize("theirs", [DAY, EARLIER])
def test_already_paid_there_on_the_same_or_an_earlier_date_agrees_and_nothing_is_sent(both: Both, theirs):
    """Rule 5.9; B4-1, B4-19."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.set_paid(invoice, theirs)
    both.deliver()
    assert writes(both) == []
    assert both.shown(invoice) == theirs
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert refreshed(invoice).agreement == "agrees"
    assert both.exceptions() == {}


def test_paid_there_on_a_later_date_keeps_both_facts_and_asks(both: Both):
    """B4-3: possible double collection."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.set_paid(invoice, LATER)
    both.deliver()
    assert writes(both) == []
    assert both.shown(invoice) == LATER
    assert set(both.exceptions()) == {"paid_twice"}


def test_paid_there_without_a_payment_here_is_settled_there_and_never_cleared(both: Both):
    """Rule 5.9; B4-2."""
    invoice, payment = paid_and_confirmed(both)
    delete(payment)
    both.deliver()
    both.set_paid(invoice, LATER)
    look(both, invoice)
    assert refreshed(invoice).settled_amount == Decimal(100)
    both.deliver()
    assert both.shown(invoice) == LATER


def test_a_date_that_was_theirs_from_the_start_is_never_cleared(both: Both):
    """Rule 5.6, D5: the payment came second and is deleted; the mark stays."""
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    both.set_paid(invoice, DAY)
    both.deliver()
    delete(payment)
    both.deliver()
    assert writes(both) == []
    assert both.shown(invoice) == DAY
    assert refreshed(invoice).settled_amount == Decimal(100)


def test_confirmed_and_then_unpaid_there_is_an_exception_and_not_undone(both: Both):
    """Rule 5.9; B4-4: differs, never a ping-pong."""
    invoice, _ = paid_and_confirmed(both)
    both.set_paid(invoice, None)
    assert look(both, invoice) == 0
    both.deliver()
    assert writes(both) == []
    assert refreshed(invoice).agreement == "differs"
    assert "Send the paid date again" in both.exceptions()["unpaid_in_autotask"]


def test_send_again_marks_it_once_more_and_closes_the_exception(both: Both):
    invoice, _ = paid_and_confirmed(both)
    both.set_paid(invoice, None)
    look(both, invoice)
    by_hand.send_again(ACTOR, both.delivery(invoice).id)
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) == DAY
    assert both.exceptions() == {}


def test_a_look_again_at_an_undone_mark_parks_and_says_so(both: Both):
    """Retrying without deciding sends nothing either."""
    invoice, _ = paid_and_confirmed(both)
    both.set_paid(invoice, None)
    by_hand.retry(ACTOR, both.delivery(invoice).id)
    db.session.commit()
    both.deliver()
    assert writes(both) == []
    assert both.delivery(invoice).error_kind == "unpaid_in_autotask"
    assert set(both.exceptions()) == {"unpaid_in_autotask"}


def test_deleting_the_payment_instead_agrees_without_a_write(both: Both):
    invoice, payment = paid_and_confirmed(both)
    both.set_paid(invoice, None)
    look(both, invoice)
    delete(payment)
    both.deliver()
    assert writes(both) == []
    assert both.exceptions() == {}
    assert refreshed(invoice).agreement == "agrees"


def test_another_date_set_there_is_accepted_as_theirs(both: Both):
    """B4-5: date only, no write-back."""
    invoice, _ = paid_and_confirmed(both)
    both.set_paid(invoice, LATER)
    assert look(both, invoice) == 0
    both.deliver()
    assert writes(both) == []
    assert refreshed(invoice).agreement == "agrees"


def test_a_changed_date_is_not_cleared_after_a_deletion_but_asked_about(both: Both):
    """D4."""
    invoice, payment = paid_and_confirmed(both)
    both.set_paid(invoice, LATER)
    delete(payment)
    both.deliver()
    assert writes(both) == []
    assert both.shown(invoice) == LATER
    assert set(both.exceptions()) == {"paid_mark_changed"}


@pytest.mark.parametrize(("decision", "shown"), [(by_hand.clear_theirs, None), (by_hand.keep_theirs, LATER)])
def test_a_person_decides_about_a_changed_date(both: Both, decision, shown):
    """D4: the two buttons."""
    invoice, payment = paid_and_confirmed(both)
    both.set_paid(invoice, LATER)
    delete(payment)
    both.deliver()
    decision(ACTOR, both.delivery(invoice).id)
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) == shown
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert both.exceptions() == {}


def test_part_paid_here_and_paid_there_settles_the_rest(both: Both):
    """Rule 5.9; B4-10 begins here: nothing is sent while part-paid."""
    invoice, payment = paid_and_confirmed(both)
    delete(payment)
    both.deliver()
    both.pay(invoice, "40.00")
    both.sandbox.clear_requests()
    both.set_paid(invoice, LATER)
    look(both, invoice)
    row = refreshed(invoice)
    assert (row.paid_amount, row.settled_amount, row.outstanding) == (40, 60, 0)
    assert writes(both) == []


def test_the_last_cent_writes_the_date_of_the_last_payment(both: Both):
    """Rule 5.5; B4-10."""
    invoice = both.invoice()
    both.pay(invoice, "60.00", on=LATER)
    both.pay(invoice, "40.00", on=DAY)
    both.deliver()
    assert both.shown(invoice) == LATER


def test_a_voided_invoice_is_never_marked_and_keeps_its_payment(both: Both):
    """Rule 5.7 and 5.9; B4-7."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.void_invoice(invoice.autotask_id)
    both.deliver()
    assert writes(both) == []
    row = both.delivery(invoice)
    assert (row.state, row.error_kind) == (DeliveryState.PARKED, "voided")
    assert set(both.exceptions()) == {"voided_with_payments"}
    assert refreshed(invoice).status == "voided"


def test_deleting_the_payment_of_a_voided_invoice_writes_nothing_and_is_done(both: Both):
    """D7: void wins."""
    invoice = both.invoice()
    payment = both.pay(invoice)
    both.sandbox.void_invoice(invoice.autotask_id)
    both.deliver()
    delete(payment)
    both.deliver()
    assert writes(both) == []
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert both.exceptions() == {}


def test_a_raised_total_opens_the_invoice_again_and_clears_our_mark(both: Both):
    """B4-8: the read before the write finds the new total."""
    invoice, _ = paid_and_confirmed(both)
    both.sandbox.change_invoice(invoice.autotask_id, invoiceTotal=Decimal(130))
    look(both, invoice)
    both.deliver()
    row = refreshed(invoice)
    assert (row.amount_due, row.outstanding, row.status) == (130, 30, "part_paid")
    assert both.shown(invoice) is None


def test_a_total_raised_before_the_delivery_is_learned_first_and_nothing_is_marked(both: Both):
    """B4-8 seen by the delivery itself: no mark for an invoice that is no longer fully paid."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.change_invoice(invoice.autotask_id, invoiceTotal=Decimal(130))
    both.deliver()
    assert writes(both) == []
    assert refreshed(invoice).outstanding == 30
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED


def test_a_lowered_total_stays_paid_and_is_overpaid(both: Both):
    """B4-9."""
    invoice, _ = paid_and_confirmed(both)
    both.sandbox.change_invoice(invoice.autotask_id, invoiceTotal=Decimal(80))
    look(both, invoice)
    both.deliver()
    assert both.shown(invoice) == DAY
    assert "20.00\N{NO-BREAK SPACE}USD more" in both.exceptions()["overpaid"]


def test_a_changed_number_is_nothing_to_a_delivery(both: Both):
    """B4-15: identity is Autotask's id."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.change_invoice(invoice.autotask_id, invoiceNumber="RE-ISSUED")
    both.deliver()
    row = both.sandbox.invoice(invoice.autotask_id)
    assert (row["invoiceNumber"], both.shown(invoice)) == ("RE-ISSUED", DAY)


def test_a_date_before_the_invoice_is_sent_as_it_is(both: Both):
    """B4-18; a date after today is taken from nobody."""
    invoice = both.invoice()
    both.pay(invoice, on=date(2026, 10, 1))
    both.deliver()
    assert both.shown(invoice) == date(2026, 10, 1)


def test_a_payment_deleted_before_its_delivery_costs_no_write(both: Both):
    """D0: versions collapse."""
    invoice = both.invoice()
    payment = both.pay(invoice)
    delete(payment)
    both.deliver()
    assert writes(both) == []
    assert both.delivery(invoice).done_version == both.delivery(invoice).wish_version == 2


def test_one_of_two_payments_deleted_while_the_rest_still_covers_sends_nothing(both: Both):
    """D8."""
    invoice, _ = paid_and_confirmed(both)
    both.sandbox.change_invoice(invoice.autotask_id, invoiceTotal=Decimal(150))
    look(both, invoice)
    both.deliver()
    second = both.pay(invoice, "50.00", on=DAY)
    both.deliver()
    both.sandbox.change_invoice(invoice.autotask_id, invoiceTotal=Decimal(100))
    look(both, invoice)
    both.deliver()
    both.sandbox.clear_requests()
    delete(second)
    both.deliver()
    assert writes(both) == []
    assert both.shown(invoice) == DAY


def test_an_invoice_gone_from_autotask_is_refused_in_plain_words(both: Both):
    """Rule 5.7; B4-14."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.remove_invoice(invoice.autotask_id)
    both.deliver()
    row = both.delivery(invoice)
    assert (row.state, row.error_kind) == (DeliveryState.PARKED, "not_found")
    assert "no such invoice" in both.exceptions()["delivery_refused"]


def test_the_paid_date_counts_as_a_date_at_any_time_of_day(both: Both):
    """F26, planted bug 23: 23:59 there is the same day."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.change_invoice(invoice.autotask_id, paidDate="2026-11-19T00:00:00")
    both.deliver()
    assert [one.outcome for one in both.attempts()] == [AttemptOutcome.NOTHING_TO_DO]


def test_what_was_lost_with_the_database_is_never_cleared_by_itself(both: Both):
    """W16: Autotask is paid for a payment that we no longer have."""
    invoice = both.invoice()
    both.set_paid(invoice, DAY)
    payment = both.pay(invoice, on=EARLIER)
    delete(payment)
    both.deliver()
    assert both.shown(invoice) == DAY
    assert refreshed(invoice).settled_amount == Decimal(100)


def test_a_late_write_of_ours_over_a_changed_date_is_cleared_in_the_end(both: Both):
    """D2 on top of D4: what was parked for their date goes on once it is ours that Autotask shows."""
    invoice, payment = paid_and_confirmed(both)
    both.set_paid(invoice, LATER)
    delete(payment)
    both.deliver()
    assert both.delivery(invoice).error_kind == "paid_mark_changed"
    both.set_paid(invoice, DAY)
    assert look(both, invoice) == 1
    both.deliver()
    assert (both.shown(invoice), both.delivery(invoice).state) == (None, DeliveryState.CONFIRMED)


def test_an_invoice_that_can_be_read_again_is_marked_by_itself(both: Both):
    """An API user may lose and regain the right to see a customer: found again, the delivery goes on."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.restrict_line_of_business([both.sandbox_item(invoice)["companyID"]])
    both.deliver()
    assert both.delivery(invoice).error_kind == "not_found"
    both.sandbox.restrict_line_of_business([])
    assert look(both, invoice) == 1
    both.deliver()
    assert (both.shown(invoice), both.delivery(invoice).state) == (DAY, DeliveryState.CONFIRMED)


def test_an_invoice_that_is_no_longer_voided_is_marked_by_itself(both: Both):
    """Rule 3.4: what was parked goes on when its reason is gone."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.void_invoice(invoice.autotask_id)
    both.deliver()
    assert both.delivery(invoice).error_kind == "voided"
    both.sandbox.change_invoice(invoice.autotask_id, isVoided=False, voidedDate=None)
    assert look(both, invoice) == 1
    both.deliver()
    assert (both.shown(invoice), both.delivery(invoice).state) == (DAY, DeliveryState.CONFIRMED)


def test_the_sweep_asks_the_database_as_often_for_nine_invoices_as_for_three(both: Both, count_queries):
    def statements(number: int) -> int:
        invoices = [paid_and_confirmed(both)[0] for _ in range(number)]
        readings = {
            invoice.id: reading_of(both.sandbox_item(invoice), clock_timestamp()) for invoice in invoices
        }
        db.session.commit()
        return count_queries(lambda: sweep._compare(readings))

    assert statements(9) == statements(3)
