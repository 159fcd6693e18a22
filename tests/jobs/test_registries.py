"""RQ keeps nothing that nobody reads: no failure, no result, no job that a dying worker took."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue

from jobs.bell_queue import STUCK_SECONDS, BellQueue, tidy
from local import redis as server
from portal.queue import SYNCS, enqueue
from portal.queue.job import JOBS, JsonJob
from tests.jobs.sample_jobs import SAMPLES
from tests.jobs.waiting import until
from tests.local.processes import linux_only

KEPT = {b"rq:queues", b"rq:workers", b"rq:workers:syncs", b"trace"}
LEAVE_TRACE, FAIL = "tests.jobs.sample_jobs.leave_trace", "tests.jobs.sample_jobs.fail"


@pytest.fixture
def own_redis(tmp_path: Path, monkeypatch) -> Iterator[Redis]:
    """A server whose settings may be changed."""
    monkeypatch.setattr("portal.queue.job.JOBS", JOBS | SAMPLES)
    started = server.start(tmp_path)
    with Redis.from_url(started.url()) as connection:
        yield connection
    started.stop()


@pytest.fixture
def workers(own_redis: Redis, environment) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two on one queue, as while a new release takes over."""
    url = f"redis://127.0.0.1:{own_redis.connection_pool.connection_kwargs['port']}/0"
    command = [sys.executable, "-m", "tests.jobs.sample_worker", SYNCS]
    variables = os.environ | environment | {"REDIS_URL": url}
    started = [subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert until(lambda: own_redis.scard("rq:workers") == 2)
    yield started
    for process in started:
        process.kill()
        process.wait()


def left(connection: Redis) -> set[bytes]:
    """What stays for ever, and jobs; a heartbeat that comes late leaves a trace of one minute."""
    lasting = {key for key in connection.keys("*") if key.startswith(b"rq:job") or connection.ttl(key) == -1}
    return {key for key in lasting if not key.startswith(b"rq:worker:")} - KEPT


def queue_on(connection: Redis) -> Queue:
    return Queue(SYNCS, connection=connection, job_class=JsonJob)


def at_rest(redis: Redis) -> int:
    """The connections of the workers themselves: a child that has just ended may still be counted for a moment."""
    counts = [0, *range(2, 11)]
    while len(set(counts[-10:])) > 1:
        time.sleep(0.1)
        counts.append(redis.info("clients")["connected_clients"])
    return counts[-1]


@linux_only
@pytest.mark.faults
def test_two_workers_on_one_queue_leave_nothing_behind(own_redis, workers) -> None:
    """Among them jobs that fail, and jobs whose child finds no free connection: 72 such stood there after a
    rolling deploy, because RQ files a child that never reached Redis as a job stuck on its way."""
    queue = queue_on(own_redis)
    for number in range(1, 9):
        enqueue(queue, LEAVE_TRACE, (number,))
        enqueue(queue, FAIL)
    assert until(lambda: own_redis.llen("trace") == 8 and not left(own_redis))
    own_redis.config_set("maxclients", at_rest(own_redis))
    for number in range(1, 5):
        enqueue(queue, LEAVE_TRACE, (number,))
    assert until(lambda: not left(own_redis))
    assert own_redis.llen("trace") == 8
    own_redis.config_set("maxclients", 100)
    enqueue(queue, LEAVE_TRACE, (9,))
    assert until(lambda: own_redis.llen("trace") == 9 and not left(own_redis))


def test_what_a_dead_worker_took_is_forgotten_after_a_minute(own_redis) -> None:
    queue = queue_on(own_redis)
    enqueue(queue, LEAVE_TRACE, (1,))
    assert BellQueue.dequeue_any([queue], None, own_redis) is not None
    tidy(queue)
    assert own_redis.llen(queue.intermediate_queue_key) == 1
    (seen,) = own_redis.keys("*:first_seen:*")
    own_redis.set(seen, float(own_redis.get(seen)) - STUCK_SECONDS - 1)
    tidy(queue)
    assert left(own_redis) == set()


def test_what_another_release_filed_as_failed_or_finished_is_cleared(own_redis) -> None:
    queue = queue_on(own_redis)
    job = queue.enqueue_call(LEAVE_TRACE, (1,), result_ttl=-1)
    own_redis.delete(queue.key)
    for name in ("failed", "finished"):
        own_redis.zadd(f"rq:{name}:{SYNCS}", {job.id: "+inf"})
    own_redis.zadd(f"rq:wip:{SYNCS}", {f"{job.id}:execution": 1})
    tidy(queue)
    assert left(own_redis) == set()


def test_a_bell_that_nobody_hears_does_not_stay(own_redis) -> None:
    queue = queue_on(own_redis)
    job_id = enqueue(queue, LEAVE_TRACE, (1,))
    assert 0 < own_redis.ttl(f"rq:job:{job_id}") <= 3600
