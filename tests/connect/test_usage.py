"""Rule 3.6: the shared budget slows reading down, then stops it, but not payments."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal import clock
from portal.autotask.budget import Threshold
from portal.autotask.client import Client
from portal.autotask.errors import Throttled, Unavailable
from portal.autotask.filters import everything
from portal.connect import Paused, calling, client_for
from portal.connect.usage import Budget, everybodys_calls, own_calls
from portal.extensions import db
from portal.models import ApiUsage, Integration
from sandbox import Sandbox
from tests.factories import refreshed

Connect = Callable[..., Integration]
LIMIT = 10_000


def count_customers(client: Client) -> int:
    return client.count("Companies", everything())


def thresholds(sandbox: Sandbox) -> int:
    return len(sandbox.calls("ThresholdInformation"))


def test_the_count_is_read_once_a_run_and_kept(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    sandbox.add_other_usage(1200)

    for _ in range(3):
        calling(integration.id, count_customers)

    row = refreshed(integration)
    assert thresholds(sandbox) == 1
    assert row.usage_used is not None
    assert (row.usage_limit, row.usage_used > 1199) == (LIMIT, True)
    assert own_calls(row) == 4


def test_everybodys_calls_are_never_fewer_than_ours_since_the_count(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    """An old count and our own newer calls add up; a count older than the hour says nothing any more."""
    integration = connect_to(sandbox)
    now = clock.now()
    integration.usage_used, integration.usage_limit = 30, LIMIT
    integration.usage_read_at = now - timedelta(minutes=20)
    for minutes, calls in ((40, 7), (10, 50), (1, 1)):
        db.session.add(
            ApiUsage(
                tenant_id=integration.tenant_id,
                integration_id=integration.id,
                minute=(now - timedelta(minutes=minutes)).replace(second=0, microsecond=0),
                calls=calls,
            )
        )
    db.session.commit()

    assert (own_calls(integration), everybodys_calls(integration)) == (58, 81)
    integration.usage_used = 1
    integration.usage_read_at = now - timedelta(minutes=50)
    assert everybodys_calls(integration) == 59
    integration.usage_read_at = now - timedelta(minutes=61)
    assert everybodys_calls(integration) == 58


def test_sending_a_payment_does_not_spend_a_call_on_the_count(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)

    calling(integration.id, count_customers, purpose="payment")

    assert thresholds(sandbox) == 0


def test_at_three_quarters_reading_waits_and_payments_go_on(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    sandbox.switches.latency = 0.0
    sandbox.add_other_usage(7600)

    with pytest.raises(Paused) as caught:
        calling(integration.id, count_customers)

    row = refreshed(integration)
    assert "of 10,000 Autotask requests" in str(caught.value)
    assert caught.value.retry_after == 300.0
    assert row.paused_until > clock.now()
    assert row.pause_reason in str(caught.value)
    assert row.state == "connected"
    assert sandbox.calls("Companies") == []
    with pytest.raises(Paused):
        client_for(row)
    assert calling(integration.id, count_customers, purpose="payment") == sandbox.count("Companies")


def test_reading_goes_on_by_itself_when_the_budget_is_free_again(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    before = clock.now() - timedelta(minutes=6)
    integration = connect_to(
        sandbox,
        paused_until=before,
        pause_reason="Full.",
        usage_used=9000,
        usage_limit=LIMIT,
        usage_read_at=before,
    )

    assert calling(integration.id, count_customers) == sandbox.count("Companies")

    row = refreshed(integration)
    assert (row.paused_until, row.pause_reason) == (None, None)
    assert row.usage_used < 9000


def test_a_count_that_cannot_be_read_stops_nothing_and_is_asked_for_once(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox)
    sandbox.forbid("ThresholdInformation")

    def several(client: Client) -> list[int]:
        return [count_customers(client) for _ in range(3)]

    assert calling(integration.id, several) == [sandbox.count("Companies")] * 3
    assert thresholds(sandbox) == 1


def nobody_answers() -> Threshold:
    raise Unavailable("Autotask could not be reached.")


def budget(used: int, purpose: str, slept: list[float]) -> Budget:
    return Budget(
        1,
        1,
        purpose,  # type: ignore[arg-type]
        reading=Threshold(LIMIT, 60, used),
        read_at=clock.now(),
        sleep=slept.append,
    )


def test_from_half_of_the_budget_each_read_waits_a_little(app: Flask) -> None:
    slept: list[float] = []
    with app.app_context():
        budget(5000, "read", slept).before_call(nobody_answers)
        budget(7400, "read", slept).before_call(nobody_answers)
        budget(4990, "read", slept).before_call(nobody_answers)
        budget(7400, "payment", slept).before_call(nobody_answers)

    assert len(slept) == 2
    assert 0.5 <= slept[0] < slept[1] < 3.0


def test_our_own_calls_count_between_two_readings(app: Flask, connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    slept: list[float] = []
    mine = budget(7490, "read", slept)
    mine.tenant_id, mine.integration_id = integration.tenant_id, integration.id
    db.session.commit()

    for _ in range(10):
        mine.before_call(nobody_answers)

    with pytest.raises(Paused):
        mine.before_call(nobody_answers)


def test_payments_stop_just_before_autotask_shuts_everybody_out(app: Flask) -> None:
    with app.app_context(), pytest.raises(Throttled) as caught:
        budget(9600, "payment", []).before_call(nobody_answers)

    assert not isinstance(caught.value, Paused)


def test_threads_that_share_a_budget_slow_down_one_after_the_other(app: Flask) -> None:
    """Three calls at a time are not three times as fast once half of the budget is used."""
    at_once, most, turn = [], [], threading.Lock()

    def sleep(seconds: float) -> None:
        with turn:
            at_once.append(1)
            most.append(len(at_once))
        time.sleep(0.02)
        with turn:
            at_once.pop()

    mine = budget(5000, "read", [])
    mine._sleep = sleep

    def call() -> None:
        with app.app_context():
            mine.before_call(nobody_answers)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert most == [1, 1, 1]
    assert mine.calls == 3
