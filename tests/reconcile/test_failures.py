"""Autotask refuses, is away, loses answers, limits or locks out (rules 5.6, 5.7, 1.8; faults F1 to F17)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from jobs import poll
from portal.autotask.deadlines import Timeouts
from portal.connect import slots
from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryState
from portal.payments import recording
from portal.reconcile import by_hand, due_partners
from portal.reconcile.delivery_row import Row, claimed, failed
from portal.reconcile.failures import Failure
from portal.reconcile.timing import LEASE, MAX_TRIES, is_due
from tests.both_sides import Both
from tests.factories import ACTOR, refreshed

DAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 19, 12, tzinfo=UTC)


def writes(both: Both) -> list[str]:
    return [call.verb for call in both.sandbox.requests if call.verb in ("patch", "put")]


def paid(both: Both):  # type: ignore[no-untyped-def]
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.clear_requests()
    return invoice


def deleted_after_confirmation(both: Both):  # type: ignore[no-untyped-def]
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    both.deliver()
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()
    both.sandbox.clear_requests()
    return invoice


def test_a_refusal_with_500_and_a_text_parks_at_once_in_autotasks_words(both: Both):
    """Rule 5.7, F10, planted bug 15: told from a fault by the body."""
    invoice = paid(both)
    both.sandbox.faults.add("F10", "Invoices", "patch", text="The period is locked.", applied=False, times=0)
    both.deliver()
    row = both.delivery(invoice)
    assert (row.state, row.error_kind, row.next_try_at) == (DeliveryState.PARKED, "rejected", None)
    assert "The period is locked." in both.exceptions()["delivery_refused"]
    assert refreshed(invoice).agreement == "differs"
    assert writes(both) == ["patch"]


def test_a_refused_mark_is_not_ours(both: Both):
    """Rule 5.6: what was certainly not written is never cleared by us later."""
    invoice = paid(both)
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False)
    both.deliver()
    assert both.delivery(invoice).our_mark_on is None


def test_a_parked_delivery_never_blocks_others(both: Both):
    """Rule 5.7."""
    first, second = both.invoice(), both.invoice(number="INV-2")
    both.pay(first)
    both.pay(second)
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False, times=1)
    both.deliver()
    states = {both.delivery(first).state, both.delivery(second).state}
    assert states == {DeliveryState.PARKED, DeliveryState.CONFIRMED}


def test_retry_delivers_and_closes_the_exception_by_itself(both: Both):
    invoice = paid(both)
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False)
    both.deliver()
    by_hand.retry(ACTOR, both.delivery(invoice).id)
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) == DAY
    assert both.exceptions() == {}


def test_no_right_to_read_invoices_is_told_with_what_to_do(both: Both):
    invoice = paid(both)
    both.sandbox.forbid("Invoices")
    both.deliver()
    assert both.delivery(invoice).error_kind == "forbidden"
    assert "Give the API user the right" in both.exceptions()["delivery_refused"]


@pytest.mark.parametrize("fault", ["F7", "F8", "F11"])
def test_a_fault_while_reading_waits_and_is_tried_again(both: Both, fault: str):
    invoice = paid(both)
    both.sandbox.faults.add(fault, "Invoices", "get", times=0)
    both.deliver()
    row = both.delivery(invoice)
    assert (row.state, row.attempts, row.error_kind) == (DeliveryState.WAITING, 1, "unavailable")
    both.sandbox.faults.clear()
    both.make_due()
    both.deliver()
    assert both.shown(invoice) == DAY
    assert both.delivery(invoice).error is None


@pytest.mark.parametrize("applied", [True, False])
def test_an_answer_that_never_came_is_unknown_and_read_before_anything_else(both: Both, applied: bool):
    """Rule 5.6, W10 and W11, planted bug 14: never a failure, never a second blind write."""
    invoice = paid(both)
    both.sandbox.faults.add("F11", "Invoices", "patch", applied=applied)
    both.deliver()
    both.make_due()
    both.deliver()
    assert both.shown(invoice) == DAY
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    verbs = [call.verb for call in both.sandbox.requests]
    assert verbs == (["get", "patch", "get"] if applied else ["get", "patch", "get", "get", "patch", "get"])
    assert both.exceptions() == {}


def test_a_write_that_may_still_arrive_is_watched(both: Both):
    """W11: it executes after we looked. The sweep has it on its list."""
    invoice = paid(both)
    both.sandbox.faults.add("F11", "Invoices", "patch", applied=False)
    both.deliver()
    [attempt] = both.attempts()
    assert (attempt.outcome, attempt.may_land_until is not None) == (AttemptOutcome.UNKNOWN, True)
    assert both.delivery(invoice).our_mark_on == DAY


def test_a_limit_waits_as_long_as_asked_and_counts_no_try(both: Both):
    """F12: all of the partner's deliveries wait together."""
    first, second = both.invoice(), both.invoice(number="INV-2")
    both.pay(first)
    both.pay(second)
    both.sandbox.clear_requests()
    both.sandbox.faults.add("F12", "Invoices", "get", retry_after="120", times=0)
    both.deliver()
    rows = [both.delivery(first), both.delivery(second)]
    assert [row.attempts for row in rows] == [0, 0]
    assert all(row.next_try_at - row.wished_at > timedelta(seconds=115) for row in rows)
    assert both.deliver() == 0
    assert len(both.sandbox.requests) <= 3


def test_a_refused_login_stops_all_calls_and_everything_goes_on_when_it_works_again(both: Both):
    """Rule 1.8, F15: Autotask locks users, so at most two calls with a bad key."""
    invoice = paid(both)
    both.sandbox.change_secret("another")
    both.deliver()
    both.deliver()
    assert refreshed(both.integration).state == "needs_reconnecting"
    assert len(both.sandbox.calls("Invoices")) <= 2
    row = both.delivery(invoice)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 0)
    assert row.error
    assert due_partners.tenants_to_deliver() == []
    both.sandbox.change_secret("demo-secret-1234")
    both.integration.state = "connected"
    db.session.commit()
    assert due_partners.tenants_to_deliver() == [both.partner.id]
    both.deliver()
    assert both.shown(invoice) == DAY


def test_a_disconnected_integration_lets_deliveries_wait_with_a_sentence(both: Both):
    """Rule 1.7: what is still owed stays owed, without a busy loop."""
    invoice = paid(both)
    both.integration.state = "disconnected"
    db.session.commit()
    both.deliver()
    assert both.sandbox.requests == []
    row = both.delivery(invoice)
    assert row.state == DeliveryState.WAITING
    assert "disconnected" in row.error
    assert due_partners.tenants_to_deliver() == []


def test_autotask_away_for_hours_is_met_by_one_delivery_for_all_and_over_at_once(
    both: Both, monkeypatch: pytest.MonkeyPatch
):
    """Rule 5.7: however long it was away, the first answer sets all others going."""
    monkeypatch.setattr("portal.autotask.calls._FIRST_PAUSE", 0.0)
    invoices = [both.invoice(number=f"INV-{n}") for n in range(4)]
    for invoice in invoices:
        both.pay(invoice)
    both.sandbox.refuse_connections()
    for _ in range(MAX_TRIES + 3):
        both.make_due()
        both.deliver()
    rows = [both.delivery(invoice) for invoice in invoices]
    assert [row.state for row in rows].count(DeliveryState.PARKED) == 1
    assert set(both.exceptions()) == {"delivery_parked"}
    assert all(row.next_try_at is not None for row in rows)
    both.sandbox.accept_connections()
    both.make_due()
    both.deliver()
    assert [both.shown(invoice) for invoice in invoices] == [DAY] * 4
    assert both.exceptions() == {}


def test_pauses_grow_with_full_jitter_and_end_well_within_five_minutes():
    """Rule 5.7: growing, jittered, capped, and all is delivered five minutes after Autotask is back."""
    row = Row(wish_paid_on=DAY, lease_token="t")
    pauses = []
    for _ in range(30):
        after = failed(row, "t", 1, Failure("unavailable", "away"), NOW, lambda low, high: high)
        pauses.append((after.next_try_at - NOW).total_seconds())
        row = Row(wish_paid_on=DAY, lease_token="t", attempts=after.attempts)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert set(pauses[8:]) == {240}
    shortest = failed(row, "t", 1, Failure("unavailable", "away"), NOW, lambda low, high: low)
    assert shortest.next_try_at == NOW


def test_a_killed_workers_delivery_is_taken_up_by_another_within_two_minutes():
    """P9: nobody has it before its lease ends, the poller at its next look after; both by one clock."""
    [deliveries, *_] = poll.watches()
    row = claimed(Row(wish_paid_on=DAY, next_try_at=NOW), "t", NOW)
    assert not is_due(row, NOW + LEASE)
    assert is_due(row, NOW + LEASE + timedelta(seconds=deliveries.every))
    longest_call = timedelta(seconds=Timeouts().total)
    assert LEASE + timedelta(seconds=deliveries.every) + longest_call < timedelta(seconds=120)
    assert timedelta(seconds=slots.LEASE_SECONDS) < LEASE, "a dead worker's place is free again by then"


def test_clearing_by_patch_is_read_back(both: Both):
    """Rule 5.5, D3, D6: the first way."""
    invoice = deleted_after_confirmation(both)
    both.deliver()
    assert [call.verb for call in both.sandbox.requests] == ["get", "patch", "get"]
    assert both.shown(invoice) is None


@pytest.mark.parametrize("answer", ["ignored", "error"])
def test_where_patch_does_not_clear_put_does_and_keeps_the_other_fields(both: Both, answer: str):
    """Rule 5.5, D6: PUT with number and web-service date kept from the fresh read."""
    invoice = deleted_after_confirmation(both)
    both.sandbox.change_invoice(invoice.autotask_id, webServiceDate="2026-11-20T08:00:00Z")
    both.sandbox.switches.patch_null = answer
    both.deliver()
    row = both.sandbox.invoice(invoice.autotask_id)
    assert row["paidDate"] is None
    assert row["invoiceNumber"] == "INV-1"
    assert row["webServiceDate"].startswith("2026-11-20T08:00:00")
    assert writes(both) == ["patch", "put"]
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert both.exceptions() == {}


def test_where_neither_way_clears_a_person_is_told_what_to_do_and_it_closes_itself(both: Both):
    """Rule 5.5, D6."""
    from portal.reconcile import sweep

    invoice = deleted_after_confirmation(both)
    both.sandbox.switches.patch_null = "ignored"
    both.sandbox.switches.put_omitted = "ignored"
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.PARKED
    assert "by hand" in both.exceptions()["not_cleared"]
    both.set_paid(invoice, None)
    row = both.delivery(invoice)
    row.look_at = row.wished_at
    db.session.commit()
    assert sweep.compare_due() == 1
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert both.exceptions() == {}


def test_a_locked_period_keeps_the_payment_deleted_and_shows_the_difference(both: Both):
    """D11."""
    invoice = deleted_after_confirmation(both)
    both.sandbox.faults.add("F10", "Invoices", "write", text="The period is locked.", applied=False, times=0)
    both.deliver()
    assert "The period is locked." in both.exceptions()["not_cleared"]
    row = refreshed(invoice)
    assert (row.outstanding, row.agreement) == (100, "differs")


def test_an_accepted_write_that_does_not_show_is_not_confirmed(both: Both):
    """Rule 5.6, planted bug 5: only what was read back counts."""
    invoice = paid(both)
    both.sandbox.world.people.change, real = (lambda *_: []), both.sandbox.world.people.change
    both.deliver()
    both.sandbox.world.people.change = real
    row = both.delivery(invoice)
    assert (row.state, row.error_kind, row.confirmed_at) == (DeliveryState.WAITING, "not_taken", None)
    both.make_due()
    both.deliver()
    assert both.shown(invoice) == DAY


def test_a_fault_of_our_own_waits_and_never_blocks_others(both: Both, monkeypatch: pytest.MonkeyPatch):
    from portal.reconcile import delivery_steps

    first, second = both.invoice(), both.invoice(number="INV-2")
    both.pay(first)
    both.pay(second)
    real = delivery_steps.reading_of

    def broken(item, started_at):  # type: ignore[no-untyped-def]
        if item["id"] == first.autotask_id:
            raise RuntimeError("a bug")
        return real(item, started_at)

    monkeypatch.setattr(delivery_steps, "reading_of", broken)
    both.deliver()
    assert both.delivery(first).error_kind == "internal"
    assert both.shown(second) == DAY


def test_a_second_claimer_gets_nothing_for_90_seconds_of_the_databases_time(both: Both):
    """W7, planted bugs 7 and 9: longer than the calls of one delivery may take."""
    from portal.reconcile.store import SqlStore, clock_timestamp

    invoice = paid(both)
    assert SqlStore().claim() is not None
    assert SqlStore().claim() is None
    left = both.delivery(invoice).lease_until - clock_timestamp()
    assert timedelta(seconds=85) < left <= timedelta(seconds=90)


def test_who_lost_the_lease_neither_settles_nor_ends_the_lease_of_another(both: Both):
    """K6, planted bug 8: settling counts only under one's own token; somebody looks again."""
    from portal.reconcile import delivery_steps
    from portal.reconcile.store import SqlStore

    invoice = paid(both)
    store = SqlStore()
    work = delivery_steps.Work(store.claim())
    row = both.delivery(invoice)
    row.lease_token = "somebody else's"
    db.session.commit()
    read = delivery_steps.reading_of(both.sandbox_item(invoice), NOW)
    store.settle(delivery_steps.Work(work.claim, read=read))
    row = both.delivery(invoice)
    assert (row.state, row.lease_token) == (DeliveryState.SENDING, "somebody else's")
    assert (row.wish_version, row.done_version) == (2, 0)
