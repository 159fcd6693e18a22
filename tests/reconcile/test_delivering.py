"""The way of one payment to Autotask and back (rules 5.4 to 5.7)."""

import json
from datetime import date

from portal.models import AttemptOutcome, DeliveryState
from tests.both_sides import Both

DAY = date(2026, 11, 19)


def test_a_full_payment_is_written_and_confirmed_by_read_back_with_three_calls(both: Both):
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.clear_requests()
    assert both.deliver() == 1
    assert both.shown(invoice) == DAY
    assert [call.verb for call in both.sandbox.requests] == ["get", "patch", "get"]
    delivery = both.delivery(invoice)
    assert (delivery.state, delivery.done_version, delivery.attempts) == (DeliveryState.CONFIRMED, 1, 0)
    assert delivery.invoice.agreement == "agrees"
    assert [one.outcome for one in both.attempts()] == [AttemptOutcome.CONFIRMED]


def test_only_the_paid_date_is_sent(both: Both):
    """Rule 5.6: never the number or the web-service date."""
    invoice = both.invoice()
    both.pay(invoice)
    both.deliver()
    calls = [both.sandbox.calls("Invoices", verb) for verb in ("put", "patch")]
    assert [len(some) for some in calls] == [0, 1]
    [patch] = calls[1]
    assert json.loads(patch.body) == {"id": invoice.autotask_id, "paidDate": "2026-11-19T00:00:00Z"}


def test_a_part_payment_sends_nothing(both: Both):
    """Rule 5.5."""
    invoice = both.invoice()
    both.pay(invoice, "40.00")
    both.sandbox.clear_requests()
    assert both.deliver() == 0
    assert both.sandbox.requests == []


def test_a_deleted_payment_clears_the_paid_date(both: Both):
    from portal.extensions import db
    from portal.payments import recording
    from tests.factories import ACTOR

    invoice = both.invoice()
    payment = both.pay(invoice)
    both.deliver()
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) is None
    delivery = both.delivery(invoice)
    assert (delivery.state, delivery.our_mark_on, delivery.shown_on) == (DeliveryState.CONFIRMED, None, None)
    assert delivery.invoice.agreement == "agrees"
