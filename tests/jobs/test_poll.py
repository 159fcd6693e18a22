"""The poller: what is due is found in PostgreSQL and done, whatever became of Redis (P, W6, W15)."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date

from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from jobs import poll
from jobs.poll import Poller, Watch
from portal.extensions import db
from portal.models import DeliveryState
from tests import factories
from tests.both_sides import Both, both, connect_to, partner, sandbox

__all__ = ["both", "connect_to", "partner", "sandbox"]

DAY = date(2026, 11, 19)


def finish(poller: Poller) -> None:
    for thread in list(poller.running.values()):
        thread.join(20)


def test_one_round_delivers_what_is_due_without_redis(both: Both):
    """Planted bug 2: a payment whose bell was lost."""
    both.app.config["REDIS_URL"] = "redis://127.0.0.1:9/0"
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    poller = Poller(both.app, poll.watches())
    poller.look_around()
    finish(poller)
    assert both.shown(invoice) == DAY
    assert poller.counts["deliveries"] == 1


def test_it_delivers_for_every_partner_and_never_for_a_disconnected_one(both: Both):
    """Planted bug 24: each in its own scope."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    other = factories.tenant("other")
    with factories.inside(other):
        away = factories.integration(both.app, state="disconnected")
        factories.payment((factories.invoice(factories.customer(away)), "100.00"))
    poller = Poller(both.app, poll.watches())
    poller.look_around()
    finish(poller)
    assert poller.counts["deliveries"] == 1
    assert both.shown(invoice) == DAY


def test_one_partner_that_hangs_does_not_hold_up_another(both: Both):
    """Each partner is worked on in a thread of its own."""
    begun: list[int] = []
    poller = Poller(both.app, [Watch("w", 0, lambda: [(1,), (2,), (3,)], begun.append, threads=2)])
    poller.look_around()
    finish(poller)
    assert sorted(begun) == [1, 2]
    poller.look_around()
    finish(poller)
    assert len(begun) == 4


def test_a_key_is_left_to_the_workers_for_a_while(both: Both):
    watch = Watch("w", 0, lambda: [(7,)], print, patience=5)
    assert watch.keys(100.0) == []
    assert watch.keys(104.0) == []
    assert watch.keys(105.0) == [(7,)]


def test_a_database_that_is_away_is_asked_again_more_slowly(both: Both):
    """F38."""
    from sqlalchemy.exc import OperationalError

    def away() -> list[tuple[int]]:
        raise OperationalError("select", {}, Exception("restarting"))

    poller = Poller(both.app, [Watch("w", 1, away, print)])
    poller.look_around()
    assert poller.watches[0].next_at > time.monotonic() + 3


def test_work_that_fails_ends_its_thread_only(both: Both):
    def broken(_: int) -> None:
        raise RuntimeError("a bug")

    poller = Poller(both.app, [Watch("w", 0, lambda: [(1,)], broken)])
    poller.look_around()
    finish(poller)
    poller.look_around()
    assert poller.counts["w"] == 2
    finish(poller)


def test_the_process_delivers_and_ends_when_told_to(both: Both, environment: dict[str, str]):
    """The whole process beside the workers: started, at work, stopped by SIGTERM."""
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    db.session.commit()
    variables = {"AUTOTASK_TRUSTED_HOSTS": "127.0.0.1", "AUTOTASK_DISCOVERY_URL": both.sandbox.discovery_url}
    process = subprocess.Popen([sys.executable, "-m", "jobs.poll"], env=os.environ | environment | variables)
    try:
        until = time.monotonic() + 240
        while both.delivery(invoice).state != DeliveryState.CONFIRMED and time.monotonic() < until:
            db.session.rollback()
            time.sleep(0.1)
        assert both.shown(invoice) == DAY
        process.send_signal(signal.SIGTERM)
        assert process.wait(25) == 0
    finally:
        process.kill()
        process.wait()


def test_the_poller_hears_at_once_what_a_commit_made_due(both: Both):
    """Real time does not wait for the next round; a rollback rings for nobody."""
    bells, stopping = poll.Bells(both.app), threading.Event()
    invoice = both.invoice()
    assert bells.wait(0.01, stopping) is False
    both.pay(invoice, on=DAY)
    assert bells.wait(20, stopping) is True
    assert bells.wait(0.05, stopping) is False
    bells.close()


def test_without_the_database_the_bell_waits_like_a_round(both: Both):
    """The poller goes on with a round a second, and listens again when the database is back."""
    bells, stopping = poll.Bells(both.app), threading.Event()
    stopping.set()
    assert bells.wait(0.01, stopping) is False
    assert bells.connection is not None
    bells.connection.close()
    assert bells.wait(0.01, stopping) is False
    assert bells.connection is None
    assert bells.wait(0.01, stopping) is False
    assert bells.connection is not None
    bells.close()


def test_an_outage_of_the_database_is_one_line_a_minute_and_one_when_it_is_over(app, monkeypatch):
    now, away = [1000.0], [True]
    monkeypatch.setattr(poll.clock, "monotonic", lambda: now[0])

    def keys():
        if away[0]:
            raise OperationalError("SELECT 1", {}, Exception("gone"))
        return []

    poller = Poller(app, [Watch("w", 1, keys, print), Watch("x", 15, keys, print)])
    with capture_logs() as lines:
        for _ in range(150):
            poller.look_around()
            now[0] += 1
        away[0] = False
        for _ in range(20):
            poller.look_around()
            now[0] += 1
    assert [line["event"] for line in lines] == ["poller.no_database"] * 3 + ["poller.database_again"]
    assert 140 <= lines[-1]["seconds"] <= 160
