"""What kills its worker is put aside at the third death; who is told to stop, or loses the database, dies of nothing."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from jobs.poll import Poller
from portal.access.tenancy import tenant_scope
from portal.autotask.client import Client
from portal.database import claims
from portal.extensions import db
from portal.models import Delivery, DeliveryState
from portal.reconcile import by_hand, deliver
from portal.reconcile.store import SqlStore
from tests.both_sides import Both
from tests.factories import ACTOR
from tests.faults import children
from tests.faults.test_crash_points import all_is_well, lease_runs_out

pytestmark = pytest.mark.faults
DAY = date(2026, 11, 19)


def dies_of(autotask_id: int | None) -> Callable[[], None]:
    """Delivers in a process that the system kills as soon as it reads this invoice."""

    def work() -> None:
        real = Client.get

        def get(self: Client, entity: str, id: int) -> Any:
            if id == autotask_id:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, entity, id)

        Client.get = get  # type: ignore[method-assign]
        deliver.deliver_due()

    return work


def test_an_invoice_that_kills_its_worker_three_times_is_parked_and_nothing_else_with_it(
    both: Both, superuser: psycopg.Connection
):
    """Rows that were in the same hands get on alone; people see what happened, and Retry reads first."""
    before, killer, after = (both.invoice(number=f"INV-{number}") for number in range(3))
    for invoice in (before, killer, after):
        both.pay(invoice, on=DAY)
    for died in range(3):
        child = children.start(both.app, both.partner.id, dies_of(killer.autotask_id))
        assert child.wait() == -signal.SIGKILL
        assert both.delivery(killer).state == DeliveryState.SENDING, died
        lease_runs_out(superuser)
    assert both.delivery(after).state == DeliveryState.CONFIRMED, (
        "it was taken alone once it had died with another"
    )

    assert both.deliver() == 0

    row = both.delivery(killer)
    assert (row.state, row.error_kind, row.lease_token, row.next_try_at) == ("parked", "killed", None, None)
    told = both.exceptions()["delivery_parked"]
    assert told.startswith("Three times in a row the portal's own process died")
    assert "Whether Autotask shows it is not known until it is read there" in told
    assert both.shown(killer) is None
    by_hand.retry(ACTOR, row.id)
    db.session.commit()
    both.deliver()
    all_is_well(both, killer, DAY)
    assert [both.shown(invoice) for invoice in (before, after)] == [DAY, DAY]


@pytest.mark.parametrize("why", ["told to stop", "no database"])
def test_who_lives_and_leaves_its_work_is_not_taken_for_dead(
    both: Both, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, why: str
):
    invoice = both.invoice()
    both.pay(invoice, on=DAY)

    def leave(*_: Any) -> None:
        raise SystemExit if why == "told to stop" else OperationalError("SELECT 1", {}, Exception())

    for _ in range(claims.MOST_DEATHS + 1):
        with monkeypatch.context() as patch:
            patch.setattr(SqlStore, "begin_all", leave)
            with pytest.raises((SystemExit, OperationalError)):
                both.deliver()
        row = both.delivery(invoice)
        assert (row.state, row.lease_token) == (DeliveryState.SENDING, None)
        assert row.lease_until is not None, "a write may be on its way"
        lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY)


def test_a_poller_that_is_told_to_stop_leaves_what_its_threads_hold(
    both: Both, superuser: psycopg.Connection
):
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    partner_id, held, over = both.partner.id, threading.Event(), threading.Event()

    def hold() -> None:
        with both.app.app_context(), tenant_scope(partner_id), claims.living():
            assert SqlStore().claim() is not None
            held.set()
            over.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    assert both.delivery(invoice).lease_token is not None
    db.session.commit()
    Poller(both.app, []).finish()
    assert both.delivery(invoice).lease_token is None
    db.session.commit()
    over.set()
    thread.join(20)
    lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY)


def test_a_claim_from_before_the_databases_start_tells_of_no_death(both: Both, superuser: psycopg.Connection):
    """And the release before writes tokens that tell nothing."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    for token in ("2-1764554700000000-ab12cd34ab12cd34", "ab12cd34ab12cd34", "12"):
        superuser.execute(
            "UPDATE delivery SET state = 'sending', lease_token = %s, lease_until = now() - interval '1 s'",
            [token],
        )
        claim = SqlStore().claim()
        assert claim is not None
        assert claims.deaths_before(claim.token) == 0
    lease_runs_out(superuser)
    assert SqlStore().claim() is not None
    token = both.delivery(invoice).lease_token or ""
    assert claims.deaths_before(token) == 1
    assert db.session.scalar(db.select(claims.of_this_server(Delivery.lease_token)))
    lease_runs_out(superuser)
    both.deliver()
    all_is_well(both, invoice, DAY)
