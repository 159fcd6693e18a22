"""The queue as a worker sees it: bells of the portal's own table, and nothing kept of those that came to nothing.

What a bell rings for stands in PostgreSQL, where the poller finds it; so no failed, stuck or foreign job is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import structlog
from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.utils import current_timestamp

from portal.queue.job import JobRefused, JsonJob

log = structlog.get_logger(__name__)
REGISTRIES = ("failed", "finished", "deferred", "canceled", "scheduled", "ready")
# RQ's own limit too: a job is under way within milliseconds, or the worker that took it has died.
STUCK_SECONDS = 60


class BellQueue(Queue):
    """A queue whose foreign jobs are refused while they are taken from it."""

    @classmethod
    def dequeue_any(
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, *_: Any, **__: Any
    ) -> tuple[JsonJob, Queue] | None:
        """The next bell. Waits `timeout` seconds, then raises DequeueTimeout; None if it is not to wait."""
        (queue,) = queues
        while (taken := cls.lmove(connection, queue.key, timeout)) is not None:
            job = admitted(queue, taken[1])
            if job is not None:
                return job, queue
        return None


def admitted(queue: Queue, raw: bytes) -> JsonJob | None:
    """The job of an id that was taken from the queue; None for one that is gone, or refused and dropped."""
    try:
        return JsonJob.checked(raw, queue.connection)
    except NoSuchJobError:
        pass
    except JobRefused as error:
        refused(queue.name, raw, error)
    forget(queue, raw)
    return None


def refused(place: str, job_id: bytes, error: JobRefused) -> None:
    """One line for what is dropped; nothing of a stranger's goes into it but an id and a name, cut short."""
    log.warning("job.refused", place=place, job=job_id.decode(errors="replace")[:80], reason=str(error))


def forget(queue: Queue, job_id: bytes) -> None:
    """Deletes all that RQ keeps of a job. Safe to run twice."""
    key, connection = b"rq:job:" + job_id, cast(Any, queue.connection)
    first_seen = f"{queue.intermediate_queue_key}:first_seen:".encode()
    with connection.pipeline() as pipeline:
        pipeline.unlink(key, key + b":dependents", b"rq:job::" + job_id + b":dependencies")
        pipeline.unlink(b"rq:results:" + job_id, b"rq:executions:" + job_id, first_seen + job_id)
        pipeline.lrem(queue.intermediate_queue_key, 0, job_id)
        for name in REGISTRIES:
            pipeline.zrem(f"rq:{name}:{queue.name}", job_id)
        pipeline.execute()


def tidy(queue: Queue) -> None:
    """Forgets what nobody works on any more: jobs whose worker died, and whatever stands in a registry."""
    connection = cast(Any, queue.connection)  # answers with bytes; its types allow for all its settings
    for name in REGISTRIES:
        for job_id in connection.zrange(f"rq:{name}:{queue.name}", 0, -1):
            forget(queue, job_id)
    under_way = f"rq:wip:{queue.name}"
    for entry in connection.zrangebyscore(under_way, 0, current_timestamp()):
        connection.zrem(under_way, entry)
        given_up(queue, entry.rpartition(b":")[0])
    started = {entry.rpartition(b":")[0] for entry in connection.zrange(under_way, 0, -1)}
    for job_id in connection.lrange(queue.intermediate_queue_key, 0, -1):
        if job_id not in started and _stuck(queue, job_id):
            given_up(queue, job_id)


def given_up(queue: Queue, job_id: bytes) -> None:
    log.warning("bell.given_up", queue=queue.name, job=job_id.decode(errors="replace")[:80])
    forget(queue, job_id)


def _stuck(queue: Queue, job_id: bytes) -> bool:
    """True once a job was taken more than a minute ago and never begun; the first look only notes the time."""
    key = f"{queue.intermediate_queue_key}:first_seen:".encode() + job_id
    if queue.connection.set(key, current_timestamp(), nx=True, ex=24 * 3600):
        return False
    seen = queue.connection.get(key)
    return seen is not None and current_timestamp() - float(seen) > STUCK_SECONDS
