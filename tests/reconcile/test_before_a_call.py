"""What fails before any call waits like an outage: no try a second, one log line a pause, words on the page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from jobs import poll
from jobs.poll import Poller
from portal import clock, connect
from portal.connect import calls, slots
from portal.extensions import db
from portal.models import Integration
from portal.queries import integration
from portal.reconcile import due_partners, waiting_together
from portal.sync import promises
from tests.both_sides import Both
from tests.factories import refreshed


def no_longer_trusted(both: Both, row: Integration) -> None:
    row.zone_url = "https://webservices.elsewhere.example/ATServicesRest/"


def secret_of_another_key(both: Both, row: Integration) -> None:
    row.secret = b"t1\0" + bytes(40)


def secret_cut_short(both: Both, row: Integration) -> None:
    row.secret = b"t1\0"


def key_gone(both: Both, row: Integration) -> None:
    both.app.config["ENCRYPTION_KEYS"] = {"t2": bytes(32)}


def no_integration_code(both: Both, row: Integration) -> None:
    both.app.config["AUTOTASK_INTEGRATION_CODE"] = ""


UNUSABLE = {
    no_longer_trusted: "is not one that the portal trusts",
    secret_of_another_key: "Enter the key and secret again",
    secret_cut_short: "Enter the key and secret again",
    key_gone: "Enter the key and secret again",
    no_integration_code: "AUTOTASK_INTEGRATION_CODE",
}


def rounds(both: Both, count: int = 4) -> Poller:
    """So many seconds of the poller."""
    poller = Poller(both.app, [watch for watch in poll.watches() if watch.name != "schedules"])
    for _ in range(count):
        for watch in poller.watches:
            watch.next_at = 0.0
        poller.look_around()
        for thread in list(poller.running.values()):
            thread.join(20)
    return poller


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__)
def test_an_unusable_connection_is_tried_once_a_pause_and_says_why(
    both: Both, spoil: Callable[[Both, Integration], None]
) -> None:
    invoice = both.invoice()
    both.pay(invoice)
    spoil(both, both.integration)
    db.session.commit()

    with capture_logs() as logs:
        poller = rounds(both)

    assert poller.counts["deliveries"] == 1
    assert [one["event"] for one in logs if one["event"].startswith("deliver")] == ["deliveries.wait"]
    row = both.delivery(invoice)
    assert UNUSABLE[spoil] in row.error
    assert row.next_try_at - row.wished_at > timedelta(seconds=200)
    assert UNUSABLE[spoil] in integration.overview(refreshed(both.integration)).unusable
    assert integration.overview(refreshed(both.integration)).state == "unusable"
    rows = promises.table(refreshed(both.integration))
    assert {row.state for row in rows} == {"unusable", "never"}, "the page contradicts itself"
    assert "cannot call Autotask" in promises.sentence(rows, refreshed(both.integration))
    assert both.sandbox.requests == []
    assert refreshed(both.integration).state == "connected"


def test_payments_that_waited_go_out_as_soon_as_the_connection_is_mended(both: Both) -> None:
    invoice = both.invoice()
    both.pay(invoice)
    good = both.integration.zone_url
    no_longer_trusted(both, both.integration)
    db.session.commit()
    rounds(both, 1)
    assert due_partners.tenants_to_deliver() == []
    both.integration.zone_url = good
    db.session.commit()

    waiting_together.hurry(waiting_together.MENDED)

    assert due_partners.tenants_to_deliver() == [both.partner.id]
    both.deliver()
    assert both.shown(invoice) is not None


def test_while_another_process_finds_out_why_a_login_is_refused_none_is_tried_again(both: Both) -> None:
    """Autotask counts failures and locks: one refused login, not one a second."""
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.change_secret("another")
    other = slots.Slots(both.partner.id, both.integration.id, "payment")
    db.session.commit()
    place = other.take_at_once(calls.LOGIN)
    assert place is not None

    rounds(both)

    assert both.sandbox.user.refusals == 1
    assert "finding out why" in both.delivery(invoice).error


def test_a_fault_of_our_own_before_the_first_delivery_waits_too(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.pay(both.invoice())

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(connect, "calling", broken)

    with capture_logs() as logs:
        poller = rounds(both)

    assert poller.counts["deliveries"] == 1
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["poller.failed"]


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__)
def test_a_sync_run_of_an_unusable_connection_ends_once_with_the_reason(
    both: Both, spoil: Callable[[Both, Integration], None]
) -> None:
    """The next run is the next hour's: nothing is tried a second later."""
    from portal.access.actor import Actor
    from portal.sync import runs

    spoil(both, both.integration)
    run = runs.start(both.integration, "new", "schedule", Actor.system(), due_at=clock.now())
    db.session.commit()

    poller = Poller(both.app, [watch for watch in poll.watches() if watch.name == "syncs"])
    poller.watches[0].patience = 0
    for _ in range(3):
        poller.watches[0].next_at = 0.0
        poller.look_around()
        for thread in list(poller.running.values()):
            thread.join(20)

    assert poller.counts["syncs"] == 1
    ended = runs.get(run.id)
    assert (ended.state, ended.error_kind) == ("failed", "not_connected")
    assert UNUSABLE[spoil] in ended.error
    assert both.sandbox.requests == []
