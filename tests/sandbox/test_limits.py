"""The rolling hour, the latency tiers, the three threads, the clock."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import pytest

from sandbox import Sandbox
from sandbox.clock import Clock
from sandbox.limits import Usage
from sandbox.switches import Switches
from tests.sandbox.conftest import EVERYTHING, Api


@pytest.fixture
def usage() -> Usage:
    clock = Clock()
    clock.set("2026-11-20T10:00:00+00:00", frozen=True)
    return Usage(clock, Switches())


def test_calls_run_out_of_the_window_as_the_clock_moves(usage: Usage) -> None:
    usage.add()
    usage._clock.advance(1800)
    usage.add(5)
    assert usage.current() == 6
    usage._clock.advance(1801)
    assert usage.current() == 5
    usage._clock.advance(1800)
    assert usage.current() == 0


@pytest.mark.parametrize(
    ("used", "delay"), [(0, 0), (4_999, 0), (5_000, 0.5), (7_499, 0.5), (7_500, 1.0), (10_000, 1.0)]
)
def test_calls_take_longer_from_half_and_from_three_quarters_of_the_limit(
    usage: Usage, used: int, delay: float
) -> None:
    usage.add(used)

    assert usage.delay() == delay


def test_threshold_information_counts_every_call_and_others(api: Api, sb: Sandbox) -> None:
    api.get("Version")
    sb.add_other_usage(100)

    assert api.get("ThresholdInformation").json() == {
        "externalRequestThreshold": 10000,
        "requestThresholdTimeframe": 60,
        "currentTimeframeRequestCount": 102,
    }
    api.get("zoneInformation", params={"user": sb.username})
    assert api.get("ThresholdInformation").json()["currentTimeframeRequestCount"] == 103
    sb.clear_usage()
    assert api.get("ThresholdInformation").json()["currentTimeframeRequestCount"] == 1


def test_over_the_limit_everything_is_refused_until_the_window_moves(api: Api, sb: Sandbox) -> None:
    sb.switches.latency = 0
    sb.add_other_usage(10_000)

    answer = api.get("Version")

    assert answer.status_code == 429
    assert "threshold has been exceeded" in answer.json()["errors"][0]
    assert answer.headers["Retry-After"] == "60"
    assert sb.requests[-1].says == "over-limit"
    sb.clock.advance(3601)
    assert api.get("Version").status_code == 200


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_the_status_over_the_limit_is_a_switch(api: Api, sb: Sandbox, status: int) -> None:
    sb.switches.latency = 0
    sb.switches.over_limit_status = status
    sb.add_other_usage(10_000)

    assert api.get("Version").status_code == status


def test_retry_after_can_be_a_date_or_absent(api: Api, sb: Sandbox) -> None:
    sb.switches.latency = 0
    sb.add_other_usage(10_000)
    sb.switches.retry_after = "date"
    sb.switches.retry_after_seconds = 120

    wait = parsedate_to_datetime(api.get("Version").headers["Retry-After"]) - datetime.now(UTC)

    assert 110 < wait.total_seconds() <= 120
    sb.switches.retry_after = "absent"
    assert "Retry-After" not in api.get("Version").headers


@contextmanager
def running(sb: Sandbox, count: int, path: str, codes: Sequence[str] = ()) -> Iterator[list[Future[int]]]:
    """So many calls inside Autotask at once; they end with the block."""

    def one(code: str) -> int:
        api = Api(sb)
        api.session.headers["ApiIntegrationCode"] = code
        try:
            return api.post(path, EVERYTHING).status_code
        finally:
            api.session.close()

    with ThreadPoolExecutor(count) as pool, sb.hold(path.split("/")[0]) as hold:
        calls = [pool.submit(one, code) for code in codes or [sb.integration_code] * count]
        assert hold.wait_for(count)
        yield calls


def test_three_calls_of_an_endpoint_may_run_at_once(sb: Sandbox) -> None:
    with running(sb, 3, "Invoices/query") as calls:
        assert sb.stats.max_parallel("Invoices") == 3

    assert [call.result() for call in calls] == [200, 200, 200]


@pytest.mark.parametrize("status", [429, 500])
def test_a_fourth_call_at_once_is_refused_with_its_text(api: Api, sb: Sandbox, status: int) -> None:
    sb.switches.thread_limit_status = status
    with running(sb, 3, "Invoices/query"):
        answer = api.post("Invoices/query", EVERYTHING)
        other = api.post("Companies/query", EVERYTHING)

    assert answer.status_code == status
    assert "thread threshold of 3 threads has been exceeded" in answer.json()["errors"][0]
    assert answer.headers["Retry-After"] == "60"
    assert other.status_code == 200
    assert sb.stats.max_parallel("Invoices") == 4
    assert sb.stats.max_parallel("Companies") == 1
    assert api.post("Invoices/query", EVERYTHING).status_code == 200


def test_another_tracking_identifier_has_threads_of_its_own(sb: Sandbox) -> None:
    codes = ["ONE"] * 3 + ["ANOTHER"] * 3
    with running(sb, 6, "Invoices/query", codes) as calls:
        pass

    assert [call.result() for call in calls] == [200] * 6


def test_the_thread_limit_can_be_off(sb: Sandbox) -> None:
    sb.switches.threads = 0
    with running(sb, 5, "Invoices/query") as calls:
        pass

    assert [call.result() for call in calls] == [200] * 5


def test_the_clock_is_set_frozen_moved_and_reset() -> None:
    clock = Clock()
    clock.set(date(2026, 1, 2), frozen=True)
    assert clock.now() == datetime(2026, 1, 2, tzinfo=UTC)
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 2, 0, 1, 30, tzinfo=UTC)
    clock.set("2026-05-01T10:00:00")
    assert clock.now() >= datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert clock.today() == date(2026, 5, 1)
    clock.reset()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5


def test_an_unknown_switch_or_position_is_refused() -> None:
    switches = Switches()

    with pytest.raises(ValueError, match="there is no switch 'patch_nul'"):
        switches.patch_nul = "clears"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="clears, ignored, error"):
        switches.patch_null = "maybe"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="is a number"):
        switches.update({"totals": "with_tax", "threads": "many"})
    assert switches.totals == "without_tax"
    switches.update({"dates_z": "false", "threads": "5"})
    assert (switches.dates_z, switches.threads) == (False, 5)
    switches.reset()
    assert switches.as_dict() == Switches().as_dict()
