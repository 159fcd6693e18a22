"""The only place that makes Redis clients. The queue is a bell: what is due stands in PostgreSQL."""

import secrets
from typing import Any

import structlog
from flask import current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

DELIVERIES, SYNCS = "deliveries", "syncs"
QUEUES = (DELIVERIES, SYNCS)
WEB_SECONDS = 0.25
JOB_SECONDS = {DELIVERIES: 60, SYNCS: 3600}
FAILED_JOB_SECONDS = 7 * 24 * 3600

log = structlog.get_logger(__name__)
lost_bells = {"count": 0}


class JsonJob(Job):
    """A job whose arguments travel as JSON, also where the caller names no serializer (rq-scheduler)."""

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        super().__init__(id, connection, serializer or JSONSerializer)


def web_redis() -> Redis:
    """This app's client for requests: waits at most 0.25 s for Redis and never tries twice."""
    extensions = current_app.extensions
    url = current_app.config["REDIS_URL"]
    held = extensions.get("web_redis")
    if held is None or held[0] != url:
        extensions["web_redis"] = held = (url, _client(url, socket_timeout=WEB_SECONDS, connect=WEB_SECONDS))
    return held[1]


def worker_redis() -> Redis:
    """A client for workers and the scheduler, whose commands may wait for work."""
    return _client(current_app.config["REDIS_URL"], socket_timeout=None, connect=5, keepalive=True)


def bell(queue_name: str, job_path: str, *ids: int) -> bool:
    """Asks a worker to run `job_path(*ids)` soon. Call it after the commit.

    Never raises for Redis: False, and one more in `lost_bells`, when it could not be told within 0.25 s; the
    poller then finds the row. Every ring has an id of its own: under a shared one, a ring while the job runs
    would be deleted together with the finished job.
    """
    name = job_path.rpartition(".")[2]
    job_id = "-".join([name, *map(str, ids), secrets.token_hex(4)])
    queue = Queue(queue_name, connection=web_redis(), job_class=JsonJob, serializer=JSONSerializer)
    try:
        queue.enqueue_call(
            job_path,
            args=ids,
            job_id=job_id,
            timeout=JOB_SECONDS[queue_name],
            result_ttl=0,
            failure_ttl=FAILED_JOB_SECONDS,
        )
    except RedisError as error:
        lost_bells["count"] += 1
        log.warning("bell.lost", job=job_id, error=type(error).__name__)
        return False
    return True


def _client(url: str, *, socket_timeout: float | None, connect: float, keepalive: bool = False) -> Redis:
    # Heroku's Redis shows a certificate that no authority signed.
    tls: dict[str, Any] = {"ssl_cert_reqs": None} if url.startswith("rediss://") else {}
    return Redis.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=connect,
        socket_keepalive=keepalive,
        retry=Retry(NoBackoff(), 0),
        **tls,
    )
