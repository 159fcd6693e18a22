"""Rule 3.6: at most three calls at a time per endpoint, across processes and threads."""

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.autotask.client import Client
from portal.autotask.errors import Throttled
from portal.autotask.filters import everything
from portal.connect import calling, slots
from portal.connect.slots import Slots
from portal.extensions import db
from portal.models import ApiUsage, CallSlot, Integration
from sandbox import Sandbox

Connect = Callable[..., Integration]


def read_all(client: Client) -> int:
    return sum(len(page) for page in client.pages("Invoices", everything(), page_size=5))


def make_slow(sandbox: Sandbox) -> None:
    """Every answer takes 50 ms, so that calls would overlap: Autotask slows down from half of the budget on."""
    sandbox.switches.latency = 0.1
    sandbox.add_other_usage(5000)


def places(integration: Integration, **more: object) -> Slots:
    return Slots(integration.tenant_id, integration.id, "payment", **more)  # type: ignore[arg-type]


def no_waiting(places: Slots) -> Slots:
    places.longest_wait = 0
    return places


def held_places() -> int:
    found = select(func.count()).select_from(CallSlot).where(CallSlot.held_until > func.clock_timestamp())
    count = db.session.scalar(found) or 0
    db.session.rollback()
    return count


def test_three_have_a_place_and_the_fourth_waits(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    mine = no_waiting(places(integration))

    with mine.place("Invoices"), mine.place("Invoices"), mine.place("Invoices"):
        assert held_places() == 3
        with mine.place("Companies"):
            pass
        with pytest.raises(Throttled), mine.place("Invoices"):
            pass
    assert held_places() == 0


def test_reading_leaves_a_place_for_a_payment(connect_to: Connect, sandbox: Sandbox) -> None:
    """Rule 5.4: a payment never queues behind a read."""
    integration = connect_to(sandbox)
    reading = no_waiting(Slots(integration.tenant_id, integration.id, "read"))

    with reading.place("Invoices"), reading.place("Invoices"):
        with pytest.raises(Throttled), reading.place("Invoices"):
            pass
        with no_waiting(places(integration)).place("Invoices"):
            assert held_places() == 3


def test_a_place_of_a_killed_process_gets_free_when_its_lease_runs_out(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox)
    mine = no_waiting(places(integration))
    never_left = [mine.place("Invoices") for _ in range(3)]
    for place in never_left:
        place.__enter__()

    with pytest.raises(Throttled), mine.place("Invoices"):
        pass
    db.session.execute(update(CallSlot).values(held_until=clock.now() - timedelta(seconds=1)))
    db.session.commit()
    with mine.place("Invoices"):
        assert held_places() == 1


def test_a_waiting_call_goes_on_as_soon_as_a_place_gets_free(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    first = [places(integration).place("Invoices") for _ in range(3)]
    for place in first:
        place.__enter__()

    def leave(_: float) -> None:
        if first:
            first.pop().__exit__(None, None, None)

    with places(integration, sleep=leave).place("Invoices"):
        assert held_places() == 3
    for place in first:
        place.__exit__(None, None, None)


def test_a_held_place_serves_a_whole_read_and_is_given_back(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)

    def work(client: Client) -> int:
        with slots.held(client, "Invoices"):
            return read_all(client)

    assert calling(integration.id, work) == sandbox.count("Invoices")
    assert held_places() == 0
    assert len(sandbox.calls("Invoices")) > 10


def test_places_of_several_endpoints_are_held_by_one_statement_where_they_are_free(
    connect_to: Connect, sandbox: Sandbox
) -> None:
    """A taken endpoint is waited for when it is asked, and what was called from all of them is counted."""
    integration = connect_to(sandbox)
    other, mine = places(integration), places(integration)
    with other.place("Invoices"), other.place("Companies"):
        pass  # the rows are made
    with other.held("Invoices"), places(integration).held("Invoices"), places(integration).held("Invoices"):
        with mine.held_if_free(["Companies", "Invoices"]):
            with mine.place("Companies"):
                assert held_places() == 4
            assert sorted(mine._held) == ["Companies"]
        assert held_places() == 3
    with mine.held_if_free(["Companies", "Invoices"]), mine.place("Invoices"), mine.place("Companies"):
        assert held_places() == 2
    assert held_places() == 0
    assert db.session.scalar(select(func.sum(ApiUsage.calls))) == 5


def test_a_held_place_whose_lease_ran_out_is_taken_anew(
    connect_to: Connect, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    integration = connect_to(sandbox)
    monkeypatch.setattr(slots, "LONGEST_CALL", slots.LEASE_SECONDS)  # look at the lease before every call
    mine = places(integration)

    with mine.held("Invoices"):
        db.session.execute(update(CallSlot).values(token="somebody else's"))
        db.session.commit()
        with mine.place("Invoices"):
            pass
        assert db.session.scalars(select(CallSlot.token).where(CallSlot.slot == 3)).all() == [
            "somebody else's"
        ]
        db.session.rollback()


def test_every_call_is_counted_by_minute(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    calling(integration.id, read_all)

    def held(client: Client) -> int:
        with slots.held(client, "Invoices"):
            return read_all(client)

    calling(integration.id, held)

    assert db.session.scalar(select(func.sum(ApiUsage.calls))) == len(sandbox.requests)


def test_one_process_at_a_time_does_what_only_one_may_do(connect_to: Connect, sandbox: Sandbox) -> None:
    integration = connect_to(sandbox)
    mine, other = places(integration), places(integration)

    place = mine.take_at_once("login")
    assert place is not None
    assert other.take_at_once("login") is None
    mine.free(place)
    assert other.take_at_once("login") is not None


def test_never_more_than_three_calls_at_a_time_from_many_threads(
    app: Flask, connect_to: Connect, sandbox: Sandbox
) -> None:
    integration = connect_to(sandbox)
    make_slow(sandbox)
    start = threading.Barrier(8)

    def read(_: int) -> int:
        with app.app_context(), tenant_scope(integration.tenant_id):
            start.wait(10)
            return calling(integration.id, read_all, purpose="payment")

    db.session.commit()
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(read, range(8)))

    assert counts == [sandbox.count("Invoices")] * 8
    assert sandbox.stats.max_parallel("Invoices") <= 3
    assert [request.status for request in sandbox.requests if request.status == 429] == []


READER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from portal import create_app
from portal.access.tenancy import tenant_scope
from portal.autotask.filters import everything
from portal.connect import calling

app = create_app()
tenant_id, integration_id = map(int, sys.argv[1:])

def read(_):
    pages = lambda client: sum(len(page) for page in client.pages("Invoices", everything(), page_size=10))
    with app.app_context(), tenant_scope(tenant_id):
        return calling(integration_id, pages, purpose="payment")

with ThreadPoolExecutor(3) as threads:
    print(*threads.map(read, range(3)))
"""


def test_never_more_than_three_calls_at_a_time_from_many_processes(
    connect_to: Connect, sandbox: Sandbox, environment: dict[str, str], python: Path
) -> None:
    integration = connect_to(sandbox)
    make_slow(sandbox)
    known = {
        **environment,
        "AUTOTASK_DISCOVERY_URL": sandbox.discovery_url,
        "AUTOTASK_TRUSTED_HOSTS": sandbox.url.removeprefix("http://"),
        "PATH": "/usr/bin:/bin",
    }
    command = [str(python), "-c", READER, str(integration.tenant_id), str(integration.id)]
    readers = [subprocess.Popen(command, env=known, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [reader.communicate(timeout=240)[0].strip() for reader in readers]

    count = str(sandbox.count("Invoices"))
    assert printed == [f"{count} {count} {count}"] * 2
    assert sandbox.stats.max_parallel("Invoices") <= 3
    assert [request.status for request in sandbox.requests if request.status == 429] == []
