"""rq-scheduler is unmaintained: this is what we need of it, on a real Redis-protocol server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from jobs.schedule import TABLE, Entry, TableScheduler, hold_exactly
from portal.queue import DELIVERIES
from portal.queue.job import JsonJob

IDS = sorted(entry.id for entry in TABLE)


@pytest.fixture
def connection(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def scheduler(connection: Redis) -> TableScheduler:
    return TableScheduler(connection)


def waiting(connection: Redis) -> list[str]:
    return Queue(DELIVERIES, connection=connection, job_class=JsonJob).get_job_ids()


def queued(connection: Redis) -> list[str]:
    """The entries whose bells wait, without the part of each bell's own."""
    return sorted(job_id.rpartition("-")[0] for job_id in waiting(connection))


def held(scheduler: TableScheduler) -> list[str]:
    return sorted(job.id for job in scheduler.get_jobs())


def test_the_first_round_rings_every_bell_once(scheduler, connection) -> None:
    scheduler.enqueue_jobs()
    assert queued(connection) == IDS
    assert held(scheduler) == IDS


def test_a_second_round_within_the_interval_rings_nothing(scheduler, connection) -> None:
    scheduler.enqueue_jobs()
    scheduler.enqueue_jobs()
    assert queued(connection) == IDS


def test_entries_lost_by_a_flush_come_back(scheduler, connection) -> None:
    scheduler.enqueue_jobs()
    connection.flushdb()
    scheduler.enqueue_jobs()
    assert held(scheduler) == IDS


def test_an_entry_whose_job_vanished_comes_back(scheduler, connection) -> None:
    hold_exactly(scheduler)
    connection.delete(f"rq:job:{TABLE[0].id}")
    assert hold_exactly(scheduler) == [TABLE[0].id]
    assert held(scheduler) == IDS


def test_the_table_stands_once_after_two_starts(scheduler, connection) -> None:
    assert hold_exactly(scheduler) == [entry.id for entry in TABLE]
    assert hold_exactly(TableScheduler(connection)) == []
    assert held(scheduler) == IDS


def test_an_unknown_entry_is_removed(scheduler) -> None:
    scheduler.schedule(datetime.now(UTC), "os.getcwd", interval=60, id="left-over")
    assert "left-over" in hold_exactly(scheduler)
    assert held(scheduler) == IDS


def test_a_changed_interval_takes_the_place_of_the_old_one(scheduler) -> None:
    hold_exactly(scheduler)
    slower = (Entry(TABLE[0].name, TABLE[0].job, 7200), *TABLE[1:])
    assert hold_exactly(scheduler, slower) == [TABLE[0].id]
    assert hold_exactly(scheduler, slower) == []


def test_a_bell_that_still_waits_is_not_queued_again(scheduler, connection) -> None:
    scheduler.enqueue_jobs()
    for job_id in IDS:
        connection.zadd(scheduler.scheduled_jobs_key, {job_id: 0})
    scheduler.enqueue_jobs()
    assert queued(connection) == IDS
    later = (datetime.now(UTC) + timedelta(seconds=30)).timestamp()
    assert all(
        score > later for _, score in connection.zrange(scheduler.scheduled_jobs_key, 0, -1, withscores=True)
    )


def test_ticks_travel_as_json_without_arguments(scheduler, connection) -> None:
    scheduler.enqueue_jobs()
    job = JsonJob.fetch(waiting(connection)[0], connection=connection)
    assert job.args == []
    assert (job.result_ttl, job.failure_ttl) == (0, 0)
    assert JSONSerializer.loads(job.data)[0] == job.func_name
