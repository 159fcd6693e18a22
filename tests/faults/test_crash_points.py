"""Processes are killed at every point of a payment's way (W0 to W16, D0 to D12): nothing lost, nothing twice."""

import os
import signal
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from portal import queue
from portal.access import audit
from portal.extensions import db
from portal.models import AttemptOutcome, DeliveryState, Payment
from portal.payments import idempotency, recording
from portal.reconcile import deliver, due_partners, sweep
from tests.both_sides import Both
from tests.factories import ACTOR, refreshed
from tests.faults import children
from tests.faults.children import DELIVERY_POINTS

pytestmark = pytest.mark.faults
DAY = date(2026, 11, 19)


def recorder(both: Both, invoice: Any, method: str = "check") -> Callable[[], Payment]:
    """What the form and the API do: one transaction, then the bell."""
    new = recording.NewPayment([(invoice.id, Decimal(100))], method, DAY, old_day_confirmed=True)
    partner_id = both.partner.id

    def record() -> Payment:
        claimed = idempotency.claim("payment", "the-key", new.body)
        payment = recording.record_once(ACTOR, new, claimed)
        db.session.commit()
        queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", partner_id)
        return payment

    return record


def lease_runs_out(superuser: psycopg.Connection) -> None:
    superuser.execute(
        "UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL"
    )
    superuser.execute("UPDATE call_slot SET held_until = NULL, token = NULL")


def all_is_well(both: Both, invoice: Any, day: date | None) -> None:
    """The invariants that hold after every crash."""
    row = both.delivery(invoice)
    assert both.shown(invoice) == day
    assert (row.state, row.done_version) == (DeliveryState.CONFIRMED, row.wish_version)
    assert refreshed(invoice).agreement == "agrees"
    assert audit.first_break() is None
    assert both.exceptions() == {}


@pytest.mark.parametrize("point", DELIVERY_POINTS)
@pytest.mark.parametrize("wish", ["paid", "not paid"])
def test_a_worker_killed_at_any_point_is_made_good_by_the_next(
    both: Both, superuser: psycopg.Connection, point: str, wish: str
):
    """W7 to W13, and D12: the same with the clearing write."""
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    if wish == "not paid":
        both.deliver()
        recording.delete(ACTOR, payment.id, "bounced")
        db.session.commit()
    both.sandbox.clear_requests()
    children.die(both.app, both.partner.id, deliver.deliver_due, point)
    if point != "W13 settled":
        assert both.deliver() == 0, "nobody takes it while the lease lives"
    lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY if wish == "paid" else None)
    assert len(both.sandbox.calls("Invoices", "patch")) == 1


@pytest.mark.parametrize("point", ["W0 before recording", "W1 before the commit"])
def test_a_payment_killed_before_its_commit_never_was(both: Both, point: str):
    """W0, W1, planted bug 11: the key is part of the transaction, so the same key begins afresh."""
    invoice = both.invoice()
    children.die(both.app, both.partner.id, recorder(both, invoice), point)
    assert db.session.query(Payment).count() == 0
    recorder(both, invoice)()
    both.deliver()
    assert db.session.query(Payment).count() == 1
    all_is_well(both, invoice, DAY)


def test_a_payment_whose_answer_was_lost_is_replayed_by_its_key(both: Both):
    """W2, W3, W5: committed, then nothing; no bell was rung, the poller's question finds it."""
    invoice = both.invoice()
    children.die(both.app, both.partner.id, recorder(both, invoice), "W2 after the commit")
    assert due_partners.tenants_to_deliver() == [both.partner.id]
    recorder(both, invoice)()
    assert db.session.query(Payment).count() == 1
    both.deliver()
    all_is_well(both, invoice, DAY)


def test_the_same_key_with_another_body_is_refused_after_a_crash(both: Both):
    """Planted bug 13."""
    invoice = both.invoice()
    children.die(both.app, both.partner.id, recorder(both, invoice), "W2 after the commit")
    with pytest.raises(idempotency.KeyReused):
        recorder(both, invoice, method="cash")()
    db.session.rollback()


def test_a_bell_that_nobody_hears_does_not_refuse_a_payment(both: Both):
    """W4, W6, W15: Redis is away or empty; the row is due all the same."""
    both.app.config["REDIS_URL"] = "redis://127.0.0.1:9/0"
    invoice = both.invoice()
    recorder(both, invoice)()
    assert due_partners.tenants_to_deliver() == [both.partner.id]
    both.deliver()
    all_is_well(both, invoice, DAY)


def test_a_frozen_worker_whose_old_write_lands_late_finds_it_out_itself(
    both: Both, superuser: psycopg.Connection
):
    """W14, D2: another finished the newer state meanwhile; the loser of the lease has somebody look again."""
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    frozen = children.start(
        both.app, both.partner.id, deliver.deliver_due, ("W10 before it leaves", signal.SIGSTOP)
    )
    frozen.wait_until_frozen()
    lease_runs_out(superuser)
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert frozen.go_on() == 0
    both.deliver()
    all_is_well(both, invoice, None)


def test_a_frozen_worker_that_dies_after_its_late_write_is_found_by_the_sweep(
    both: Both, superuser: psycopg.Connection
):
    """W14, finding 3: no lease can stop a write on the wire, so the sweep looks at tries left open."""
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    frozen = children.start(
        both.app,
        both.partner.id,
        deliver.deliver_due,
        ("W10 arrived", signal.SIGKILL),
        ("W10 before it leaves", signal.SIGSTOP),
    )
    frozen.wait_until_frozen()
    lease_runs_out(superuser)
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) is None
    assert frozen.go_on() == -signal.SIGKILL
    assert both.shown(invoice) == DAY
    assert both.delivery(invoice).look_at is not None
    superuser.execute("UPDATE delivery SET look_at = now()")
    assert sweep.compare_due() == 1
    both.deliver()
    all_is_well(both, invoice, None)


def test_a_payment_deleted_while_its_write_is_on_the_way_is_cleared_in_the_next_round(both: Both):
    """D1: the same lease; settling finds the newer version."""
    invoice = both.invoice()
    payment = both.pay(invoice, on=DAY)
    frozen = children.start(both.app, both.partner.id, deliver.deliver_due, ("W10 arrived", signal.SIGSTOP))
    frozen.wait_until_frozen()
    recording.delete(ACTOR, payment.id, "bounced")
    db.session.commit()
    assert both.deliver() == 0
    frozen.go_on()
    both.deliver()
    all_is_well(both, invoice, None)


def test_what_a_dead_worker_left_started_is_told_in_the_history(both: Both, superuser: psycopg.Connection):
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    children.die(both.app, both.partner.id, deliver.deliver_due, "W10 arrived")
    [started] = both.attempts()
    assert started.outcome == AttemptOutcome.STARTED
    lease_runs_out(superuser)
    both.deliver()
    outcomes = [one.outcome for one in both.attempts()]
    assert outcomes == [AttemptOutcome.UNKNOWN, AttemptOutcome.NOTHING_TO_DO]
    assert not any(one.may_land_until for one in both.attempts())


def test_a_worker_told_to_stop_leaves_its_delivery_to_the_next(both: Both, superuser: psycopg.Connection):
    """SIGTERM in the middle: the same as a kill for the row."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    child = children.start(
        both.app, both.partner.id, deliver.deliver_due, ("W9 written down", signal.SIGTERM)
    )
    assert child.wait() == -signal.SIGTERM
    lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY)


def test_the_database_going_away_in_the_middle_loses_nothing(both: Both, superuser: psycopg.Connection):
    """F38: the connection is cut before the settling commit; the next round reads and finds it done."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)

    def cut() -> None:
        from portal.reconcile.store import SqlStore

        real = SqlStore.end

        def end(self: SqlStore, works: Any) -> None:
            superuser_url = os.environ["TEST_CUT_URL"]
            with psycopg.connect(superuser_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND usename = 'portal' AND state = 'idle'"
                )
            real(self, works)

        SqlStore.end = end  # type: ignore[method-assign]
        deliver.deliver_due()

    os.environ["TEST_CUT_URL"] = superuser.info.dsn + f" password={superuser.info.password}"
    db.session.commit()
    child = children.start(both.app, both.partner.id, cut)
    assert child.wait() in (0, 99)
    db.engine.dispose()
    lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY)
