"""Whoever can write to Redis runs nothing on the workers: what is not of the portal's table is dropped."""

import inspect
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path

import pytest
from redis import Redis
from rq import Callback, Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.webhook import Webhook
from rq_scheduler import Scheduler
from structlog.testing import capture_logs

from jobs.bell_queue import BellQueue
from portal.queue import DELIVERIES, bell
from portal.queue.job import JOBS, JobRefused, JsonJob
from tests.jobs.sample_jobs import SAMPLES
from tests.jobs.waiting import until

GOOD = "jobs.deliver.deliver_due"
TOUCH = "tests.jobs.touched.run"
Forge = Callable[[Queue], object]


@pytest.fixture
def connection(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


def stranger(connection: Redis, name: str = DELIVERIES) -> Queue:
    """The queue as somebody with RQ and the address of Redis writes to it."""
    return Queue(name, connection=connection, serializer=JSONSerializer)


def pickled(queue: Queue) -> None:
    Queue(queue.name, connection=queue.connection).enqueue("subprocess.check_output", ["true"])


def field(name: str, value: bytes) -> Forge:
    """A good job of which one field was overwritten."""

    def forge(queue: Queue) -> None:
        job = queue.enqueue_call(GOOD, (1,))
        queue.connection.hset(job.key, name, value)

    return forge


def no_hash(queue: Queue) -> None:
    queue.connection.set("rq:job:text", "not a job")
    queue.connection.rpush(queue.key, "text")


FORGED: dict[str, Forge] = {
    "a command": lambda queue: queue.enqueue_call("subprocess.check_output", (["true"],)),
    "a module of ours that is no job": lambda queue: queue.enqueue_call(TOUCH),
    "a name that is no text": field("data", b"[[1], null, [], {}]"),
    "a text as id": lambda queue: queue.enqueue_call(GOOD, ("1",)),
    "true as id": lambda queue: queue.enqueue_call(GOOD, (True,)),
    "no id": lambda queue: queue.enqueue_call(GOOD),
    "one id too many": lambda queue: queue.enqueue_call(GOOD, (1, 2)),
    "an id below one": lambda queue: queue.enqueue_call(GOOD, (0,)),
    "an id that no table holds": lambda queue: queue.enqueue_call(GOOD, (2**63,)),
    "ids by name": field("data", b'["jobs.tick_jobs.sweep", null, [], {"a": 1}]'),
    "a method of an object": field("data", b'["jobs.tick_jobs.sweep", "os", [], {}]'),
    "a callback on success": lambda queue: queue.enqueue_call(GOOD, (1,), on_success=Callback(TOUCH)),
    "a callback on failure": lambda queue: queue.enqueue_call(GOOD, (1,), on_failure=Callback(TOUCH)),
    "a callback on stop": lambda queue: queue.enqueue_call(GOOD, (1,), on_stopped=Callback(TOUCH)),
    "a call to another server": lambda queue: queue.enqueue_call(
        GOOD, (1,), webhooks=[Webhook("http://127.0.0.1:9/", "finished")]
    ),
    "retries": field("retries_left", b"9"),
    "notes": lambda queue: queue.enqueue_call(
        GOOD, (1,), meta={"queue_class_name": "tests.jobs.touched.Queue"}
    ),
    "pickled data": pickled,
    "no data that can be read": field("data", b"{"),
    "deeply nested data": field("data", zlib.compress(b"[" * 200_000)),
    "a megabyte of nothing": field("description", b" " * 1_000_000),
    "a number that is none": field("result_ttl", b"soon"),
    "something else than a job": no_hash,
    "an id that is no text": lambda queue: queue.connection.rpush(queue.key, b"\xff\xfe"),
    "what waits for another job": field("dependency_ids", b'["first"]'),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_what_is_no_job_of_the_portal_is_dropped_with_one_line(connection, forge) -> None:
    queue = stranger(connection)
    forge(queue)
    with capture_logs() as said:
        assert BellQueue.dequeue_any([queue], None, connection) is None
    assert [line["event"] for line in said] == ["job.refused"]
    assert "tests.jobs.touched" not in sys.modules
    assert set(connection.keys("rq:*")) <= {b"rq:queues"}


def test_a_job_of_the_portal_is_taken(app, connection) -> None:
    with app.app_context():
        bell(DELIVERIES, GOOD, 7)
    taken = BellQueue.dequeue_any([stranger(connection)], None, connection)
    assert taken is not None
    assert (taken[0].func_name, taken[0].args) == (GOOD, [7])


def test_the_table_names_what_there_is_and_every_argument_is_an_id() -> None:
    for path, names in JOBS.items():
        module, _, name = path.rpartition(".")
        parameters = inspect.signature(getattr(import_module(module), name)).parameters
        assert tuple(parameters) == names
        assert {one.annotation for one in parameters.values()} <= {int}


def test_the_function_itself_is_refused_where_a_job_came_past_the_queue(connection) -> None:
    job = JsonJob.create("subprocess.check_output", args=(["true"],), connection=connection)
    with pytest.raises(JobRefused):
        _ = job.func


@pytest.fixture
def start(environment, tmp_path) -> Iterator:
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "log").touch()

    def run(*words: str) -> Path:
        variables = os.environ | environment | {"TOUCHED": str(tmp_path / "touched")}
        with (tmp_path / "log").open("a") as log:
            started.append(subprocess.Popen([sys.executable, "-m", *words], env=variables, stderr=log))
        return tmp_path

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.faults
def test_a_worker_process_runs_nothing_that_a_stranger_wrote(
    app, start, connection, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("portal.queue.job.JOBS", JOBS | SAMPLES)
    queue, target = stranger(connection), str(tmp_path / "touched")
    queue.enqueue_call("subprocess.check_output", (["touch", target],))
    queue.enqueue_call("tests.jobs.sample_jobs.leave_trace", (1,), on_success=Callback(TOUCH))
    queue.enqueue_call("tests.jobs.sample_jobs.fail", on_failure=Callback(TOUCH))
    first = queue.enqueue_call("tests.jobs.sample_jobs.leave_trace", (2,), result_ttl=0)
    queue.enqueue_call(TOUCH, depends_on=first)
    with app.app_context():
        bell(DELIVERIES, "tests.jobs.sample_jobs.leave_trace", 3)
    start("tests.jobs.sample_worker", DELIVERIES)
    log = tmp_path / "log"
    assert until(lambda: connection.llen("trace") == 2 and not connection.keys("rq:job:*"))
    assert log.read_text().count("job.refused") == 3  # what waited for another job had gone at the start
    assert connection.lrange("trace", 0, -1) == [b"2", b"3"]
    assert not (tmp_path / "touched").exists()


@pytest.mark.faults
def test_the_scheduler_process_rings_nothing_that_a_stranger_scheduled(start, connection, tmp_path) -> None:
    now, target = datetime(2020, 1, 1), str(tmp_path / "touched")  # noqa: DTZ001  (as rq-scheduler takes it)
    writer = Scheduler(connection=connection, job_class=JsonJob)
    writer.schedule(now, "subprocess.check_output", args=[["touch", target]], id="theirs")
    notes = {"queue_class_name": "tests.jobs.touched.Queue"}
    writer.schedule(now, "jobs.tick_jobs.sweep", interval=300, id="tick-sweep", meta=notes)
    start("jobs.tick")
    assert until(lambda: connection.llen(f"rq:queue:{DELIVERIES}") == 3)
    assert (tmp_path / "log").read_text().count("job.refused") == 2
    assert not (tmp_path / "touched").exists()
    assert connection.zscore("rq:scheduler:scheduled_jobs", "theirs") is None
    waiting = stranger(connection).get_job_ids()
    assert {JsonJob.checked(one.encode(), connection).func_name for one in waiting} == {
        "jobs.tick_jobs.due_work", "jobs.tick_jobs.sweep", "jobs.tick_jobs.upkeep"
    }  # fmt: skip
    assert not Job.exists("theirs", connection=connection)
