"""What rq-scheduler holds: exactly this table, put back whenever it differs.

rq-scheduler loses an entry for ever when it dies between two Redis commands, and all of them with a flush.
That costs nothing here: the entries only ring, what is due stands in PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq_scheduler import Scheduler

from jobs.bell_queue import refused
from portal.operating import counting
from portal.queue import DELIVERIES, beats, enqueue
from portal.queue.job import JobRefused, JsonJob
from portal.queue.names import SCHEDULER


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

    def heartbeat(self) -> None:
        """Before and after every round, each 5 s."""
        super().heartbeat()
        beats.beat(self.connection, SCHEDULER)
        counting.leave(self.connection)

    def enqueue_jobs(self) -> list[Job]:
        hold_exactly(self, self.table)
        return list(super().enqueue_jobs())

    def enqueue_job(self, job: Job) -> None:
        """Rings for an entry, under an id of its own, unless its last bell still waits."""
        entry = next((one for one in self.table if one.id == job.id), None)
        if entry is None:
            return
        queue = Queue(DELIVERIES, connection=self.connection, job_class=JsonJob)
        if not any(waiting.startswith(f"{entry.id}-") for waiting in queue.get_job_ids()):
            enqueue(queue, entry.job, name=entry.id)
        due = datetime.now(UTC).timestamp() + entry.seconds
        self.connection.zadd(self.scheduled_jobs_key, {entry.id: due})


def hold_exactly(scheduler: Scheduler, table: tuple[Entry, ...] = TABLE) -> list[str]:
    """Adds missing and changed entries, removes unknown ones; returns the touched ids. Safe to run twice."""
    connection: Any = scheduler.connection
    key = scheduler.scheduled_jobs_key
    wanted = {entry.id.encode(): entry for entry in table}
    held = set(connection.zrange(key, 0, -1))
    unknown = held - wanted.keys()
    for job_id in unknown:
        refused("scheduler", job_id, JobRefused("it is no entry of the schedule"))
        connection.zrem(key, job_id)
        connection.unlink(b"rq:job:" + job_id)
    missing = [
        entry for job_id, entry in wanted.items() if job_id not in held or not _as_wanted(connection, entry)
    ]
    for entry in missing:
        _add(scheduler, entry)
    return sorted(job_id.decode(errors="replace") for job_id in unknown) + [entry.id for entry in missing]


def _add(scheduler: Scheduler, entry: Entry) -> None:
    scheduler.connection.unlink(f"rq:job:{entry.id}")
    scheduler.schedule(
        scheduled_time=datetime.now(UTC).replace(tzinfo=None),
        func=entry.job,
        interval=entry.seconds,
        result_ttl=0,
        id=entry.id,
        timeout=55,
        queue_name=DELIVERIES,
    )


def _as_wanted(connection: Redis, entry: Entry) -> bool:
    """False for an entry that was lost or changed; whoever changed it is named in the log."""
    try:
        job = JsonJob.checked(entry.id.encode(), connection)
    except NoSuchJobError:
        return False
    except JobRefused as error:
        refused("scheduler", entry.id.encode(), error)
        return False
    return (job.func_name, job.meta.get("interval"), job.result_ttl) == (entry.job, entry.seconds, 0)
