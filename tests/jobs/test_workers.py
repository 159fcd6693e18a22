"""Workers as processes, as in production: on a real Redis-protocol server, stopped as the platform stops them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from jobs import work
from portal.queue import DELIVERIES, QUEUES, SYNCS, bell
from portal.queue.job import JOBS
from tests.jobs.sample_jobs import SAMPLES
from tests.local.processes import gone, linux_only

SECONDS = 60
MEMBERS = {*QUEUES, "poller"}


@pytest.fixture
def connection(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def start(environment) -> Iterator:
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *words]
        started.append(subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def trace(connection: Redis, length: int) -> list[int]:
    """The trace as soon as it has `length` entries, or what there is at the end of the time."""
    deadline = time.monotonic() + SECONDS
    while connection.llen("trace") < length and time.monotonic() < deadline:
        time.sleep(0.02)
    return [int(entry) for entry in connection.lrange("trace", 0, -1)]


def empty(connection: Redis) -> bool:
    """True as soon as no queue holds a job, and no job is under way."""
    return until(lambda: not connection.keys("rq:job:*"))


@linux_only
@pytest.mark.faults
def test_a_job_in_hand_ends_well_although_the_worker_is_told_to_stop_twice(
    app, start, connection, monkeypatch
) -> None:
    monkeypatch.setattr("portal.queue.job.JOBS", JOBS | SAMPLES)
    with app.app_context():
        bell(SYNCS, "tests.jobs.sample_jobs.leave_trace_slowly", 10)
        bell(SYNCS, "tests.jobs.sample_jobs.leave_trace", 12)
    worker = start("tests.jobs.sample_worker", SYNCS)
    assert trace(connection, 1) == [10]
    worker.send_signal(signal.SIGTERM)
    time.sleep(1.2)  # RQ forgives a second signal within one second only
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SECONDS) == 0
    assert trace(connection, 2) == [10, 11]


@linux_only
@pytest.mark.faults
def test_the_worker_dyno_runs_every_queue_and_starts_again_what_dies_and_leaves_nothing_when_killed(
    app, start, connection
) -> None:
    with app.app_context():
        bell(DELIVERIES, "jobs.deliver.deliver_due", 1)
        bell(SYNCS, "jobs.sync.run_sync", 1, 1)
    dyno = start("jobs.work")
    assert empty(connection)
    assert until(lambda: set(members(dyno.pid)) == MEMBERS)
    for name in MEMBERS:
        first = members(dyno.pid)[name]
        os.kill(first, signal.SIGKILL)
        assert until(lambda name=name, first=first: members(dyno.pid).get(name, first) != first)
    with app.app_context():
        bell(DELIVERIES, "jobs.deliver.deliver_due", 1)
    assert empty(connection)
    below = descendants(dyno.pid)
    dyno.kill()
    dyno.wait()
    assert gone(below, seconds=30)


@linux_only
def test_the_supervisor_loads_nothing_of_the_portal() -> None:
    code = "import sys, jobs.work; print(*(name for name in sys.modules if name.split('.')[0] in ('portal', 'flask')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert list(work.QUEUES) == list(QUEUES)


def until(true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def members(pid: int) -> dict[str, int]:
    """The forked processes of a worker dyno by their names; not the children that do their jobs."""
    found: dict[str, int] = {}
    for below in sorted(descendants(pid)):
        try:
            name = Path("/proc", str(below), "comm").read_text().strip()
        except OSError:
            continue
        if name in MEMBERS:
            found.setdefault(name, below)
    return found


def descendants(pid: int) -> list[int]:
    try:
        listing = Path("/proc", str(pid), "task", str(pid), "children").read_text()
    except OSError:  # it has just ended
        return []
    children = [int(number) for number in listing.split()]
    return children + [below for child in children for below in descendants(child)]
