"""The only place that makes Redis clients. The queue is a bell: what is due stands in PostgreSQL."""

import secrets
from typing import Any

import structlog
from flask import current_app
from redis import BlockingConnectionPool, ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue

from portal.queue.job import JsonJob, check_call
from portal.queue.names import DELIVERIES, QUEUES, SYNCS

__all__ = ["DELIVERIES", "QUEUES", "SYNCS", "bell", "enqueue", "web_redis", "worker_redis"]

WEB_SECONDS = 0.25
# A ring takes a millisecond, and small plans of Redis take 20 clients.
WEB_CLIENTS = 2
JOB_SECONDS = {DELIVERIES: 60, SYNCS: 3600}
# A bell that nobody heard for an hour is of no use: the poller has long found what it rang for.
BELL_SECONDS = 3600

log = structlog.get_logger(__name__)
lost_bells = {"count": 0}


def web_redis() -> Redis:
    """This app's client for requests: waits at most 0.25 s for Redis and never tries twice."""
    extensions = current_app.extensions
    url = current_app.config["REDIS_URL"]
    held = extensions.get("web_redis")
    if held is None or held[0] != url:
        extensions["web_redis"] = held = (
            url,
            _client(url, socket_timeout=WEB_SECONDS, connect=WEB_SECONDS, most=WEB_CLIENTS),
        )
    return held[1]


def worker_redis() -> Redis:
    """A client for workers and the scheduler, whose commands may wait for work."""
    return _client(current_app.config["REDIS_URL"], socket_timeout=None, connect=5, keepalive=True)


def bell(queue_name: str, job_path: str, *ids: int) -> bool:
    """Asks a worker to run `job_path(*ids)` soon. Call it after the commit.

    Never raises for Redis: False, and one more in `lost_bells`, when it could not be told within 0.25 s; the
    poller then finds the row. Raises JobRefused for a call that no worker would accept.
    """
    try:
        job_id = enqueue(Queue(queue_name, connection=web_redis(), job_class=JsonJob), job_path, ids)
    except RedisError as error:
        lost_bells["count"] += 1
        log.warning("bell.lost", job=job_path, ids=ids, error=type(error).__name__)
        return False
    return bool(job_id)


def is_empty(queue_name: str) -> bool:
    """Whether no bell waits there for a worker; True while Redis cannot say."""
    try:
        return not Queue(queue_name, connection=web_redis(), job_class=JsonJob).count
    except RedisError:
        return True


def enqueue(queue: Queue, job_path: str, ids: tuple[int, ...] = (), name: str = "") -> str:
    """Queues one call and returns its id: `name` (or the function's), the ids, and a part of its own.

    Under a shared id, a ring while the job runs would be deleted together with the finished job. Nothing is
    kept of a job that has ended, well or not.
    """
    check_call(job_path, ids)
    job_id = "-".join([name or job_path.rpartition(".")[2], *map(str, ids), secrets.token_hex(4)])
    queue.enqueue_call(
        job_path,
        args=ids,
        job_id=job_id,
        timeout=JOB_SECONDS[queue.name],
        ttl=BELL_SECONDS,
        result_ttl=0,
        failure_ttl=0,
    )
    return job_id


def _client(
    url: str, *, socket_timeout: float | None, connect: float, keepalive: bool = False, most: int = 0
) -> Redis:
    # Whoever may hold no more waits for one that is free, as long as for Redis itself.
    bounded: dict[str, Any] = {"max_connections": most, "timeout": connect} if most else {}
    kind: type[ConnectionPool] = BlockingConnectionPool if most else ConnectionPool
    pool = kind.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=connect,
        socket_keepalive=keepalive,
        retry=Retry(NoBackoff(), 0),
        **current_app.config["REDIS_OPTIONS"],
        **bounded,
    )
    return Redis.from_pool(pool)
