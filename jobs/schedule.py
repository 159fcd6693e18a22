"""What rq-scheduler holds: exactly this table, put back whenever it differs.

rq-scheduler loses an entry for ever when it dies between two Redis commands, and all of them with a flush.
That costs nothing here: the entries only ring, what is due stands in PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq_scheduler import Scheduler

from portal.queue import DELIVERIES, JsonJob


@dataclass(frozen=True)
class Entry:
    """One bell: `job` is rung every `seconds` on the queue of short jobs."""

    name: str
    job: str
    seconds: int

    @property
    def id(self) -> str:
        return f"tick-{self.name}"


TABLE = (
    Entry("due-work", "jobs.tick_jobs.due_work", 60),
    Entry("sweep", "jobs.tick_jobs.sweep", 300),
    Entry("upkeep", "jobs.tick_jobs.upkeep", 3600),
)


class TableScheduler(Scheduler):
    """rq-scheduler that looks at its table before every round and never queues a bell that still waits."""

    def __init__(self, connection: Redis, interval: float = 5, table: tuple[Entry, ...] = TABLE) -> None:
        super().__init__(DELIVERIES, interval=interval, connection=connection, job_class=JsonJob)
        self.table = table

    def enqueue_jobs(self) -> list[Job]:
        hold_exactly(self, self.table)
        return list(super().enqueue_jobs())

    def enqueue_job(self, job: Job) -> None:
        if self.get_queue_for_job(job).get_job_position(job.id) is None:
            super().enqueue_job(job)
        else:
            self.connection.zadd(
                self.scheduled_jobs_key, {job.id: _from_now(job.meta["interval"]).timestamp()}
            )


def hold_exactly(scheduler: Scheduler, table: tuple[Entry, ...] = TABLE) -> list[str]:
    """Adds missing and changed entries, removes unknown ones; returns the touched ids. Safe to run twice."""
    wanted = {entry.id: entry for entry in table}
    held = {raw.decode() for raw in scheduler.connection.zrange(scheduler.scheduled_jobs_key, 0, -1)}
    unknown = held - wanted.keys()
    for job_id in unknown:
        scheduler.cancel(job_id)
    missing = [entry for entry in table if entry.id not in held or not _as_wanted(scheduler, entry)]
    for entry in missing:
        scheduler.schedule(
            scheduled_time=datetime.now(UTC).replace(tzinfo=None),
            func=entry.job,
            interval=entry.seconds,
            id=entry.id,
            timeout=55,
            queue_name=DELIVERIES,
        )
    return sorted(unknown) + [entry.id for entry in missing]


def _as_wanted(scheduler: Scheduler, entry: Entry) -> bool:
    try:
        job = JsonJob.fetch(entry.id, connection=scheduler.connection)
    except NoSuchJobError:
        return False
    return job.func_name == entry.job and job.meta.get("interval") == entry.seconds


def _from_now(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
