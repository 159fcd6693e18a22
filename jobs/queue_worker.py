"""One RQ worker for one queue: `python -m jobs.queue_worker deliveries [--grace 20]`.

One queue a process: a worker that listens to two loses the job when it dies between two Redis commands.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

import structlog
from flask import Flask
from redis.exceptions import RedisError
from rq import Queue, worker_registration
from rq.exceptions import DeserializationError, ShutDownImminentException
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import SimpleWorker
from rq.worker.base import BaseWorker
from rq.worker.worker_classes import HerokuWorker

from jobs.bell_queue import BellQueue, forget, tidy
from portal import counts, logs
from portal.database import shares
from portal.operating import counting, sentry
from portal.queue import QUEUES, beats, worker_redis
from portal.queue.job import JOBS, JsonJob

log = structlog.get_logger(__name__)
# RQ says that it lives when it has waited 15 s less than this for a bell: a minute without a word is too long.
LIVES_SECONDS = 35


class InApp(BaseWorker):
    """Runs each job in an application context of its own, takes no commands from Redis, keeps no failures.

    RQ's own maintenance reads whatever stands in Redis, and files bells that a dying worker took as failures.
    """

    app: Flask
    last_cleaned_at: Any

    @property
    def told_to_stop(self) -> bool:
        return self._shutdown_requested_date is not None

    def perform_job(self, job: Job, *rest: Any, **named: Any) -> bool:
        with structlog.contextvars.bound_contextvars(job_id=job.id), self.app.app_context():
            done = bool(super().perform_job(job, *rest, **named))
        counts.add("portal_jobs_total", job=_name_of(job), outcome="done" if done else "failed")
        counting.write_quietly(self.app)
        sentry.flush()
        return done

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Idle every 20 s, at work every 5 s."""
        super().heartbeat(timeout, pipeline)
        beats.beat(self.connection, f"worker {self.queues[0].name}")
        counting.leave(self.connection)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """RQ would write the traceback as text, with the values that PostgreSQL repeats."""
        log.error("job.failed", job_id=job.id, job=_name_of(job), exc_info=exc_info)

    def subscribe(self) -> None:
        """Whoever may write to Redis could end jobs and workers by RQ's commands."""

    def run_maintenance_tasks(self) -> None:
        for queue in self.queues:
            if queue.acquire_maintenance_lock():
                worker_registration.clean_worker_registry(queue)
                tidy(queue)
                queue.release_maintenance_lock()
        self.last_cleaned_at = now()

    def handle_job_failure(
        self, job: Job, queue: Queue, *_: Any, exc_string: str = "", execution: Any = None, **__: Any
    ) -> None:
        """The job's own exception, which is being handled then, has been logged; a child that died has not."""
        if sys.exc_info()[0] is None:
            log.error("job.failed", job_id=job.id, job=_name_of(job), reason=exc_string.strip()[:200])
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline, execution)
            self.increment_failed_job_count(pipeline)
            pipeline.execute()
        forget(queue, job.id.encode())


def _name_of(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:
        return "unreadable"


class PatientWorker(InApp, HerokuWorker):
    """Finishes the job in hand when told to stop, for `imminent_shutdown_delay` seconds.

    Heroku sends SIGTERM to every process of a dyno, several times; RQ takes the second for "drop everything".
    """

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        self.log.info("Already stopping; the job in hand has its time.")


class PatientSimpleWorker(InApp, SimpleWorker):
    """For macOS, where a process that has used the network must not fork: runs the job in its own process."""

    imminent_shutdown_delay = 6

    def handle_warm_shutdown_request(self) -> None:
        signal.signal(signal.SIGALRM, self.end_job)
        signal.alarm(self.imminent_shutdown_delay)

    def end_job(self, signum: int, frame: FrameType | None) -> None:
        raise ShutDownImminentException("The worker is stopping.", {})

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        self.log.info("Already stopping; the job in hand has its time.")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue", choices=QUEUES)
    queue, rest = parser.parse_known_args(arguments)
    from wsgi import app

    load_jobs()
    serve(app, queue.queue, read_grace(rest))


def read_grace(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=int, default=20, help="seconds for the job in hand when told to stop")
    return int(parser.parse_args(arguments).grace)


def load_jobs() -> None:
    """Imports once what every job needs: 32 ms a job instead of 2 s."""
    for module in {path.rpartition(".")[0] for path in JOBS}:
        importlib.import_module(module)


def serve(app: Flask, queue: str, grace: int) -> None:
    """Works until told to stop, and waits for Redis while that is away. The worker itself uses no database."""
    logs.call_this_process(f"worker {queue}")
    shares.become(app, shares.Process.JOB)
    os.register_at_fork(after_in_child=lambda: shares.become(app, shares.Process.JOB))
    pause = 1.0
    while not worked(app, queue, grace):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        log.warning("worker.redis_away", queue=queue, again_in_seconds=pause)
        time.sleep(pause)
        pause = min(pause * 2, 15)


def worked(app: Flask, queue: str, grace: int) -> bool:
    """Works until told to stop (True) or until Redis is away (False). Exits with 1 for any other end."""
    worker = None
    try:
        with app.app_context():
            worker = make_worker(queue, grace, app)
        worker.work(logging_level="ERROR")
        if not worker.told_to_stop:
            worker.connection.ping()
            sys.exit(1)
    except RedisError:
        return worker is not None and worker.told_to_stop
    return True


def make_worker(queue: str, grace: int, app: Flask) -> InApp:
    kind: type[InApp] = PatientWorker if sys.platform == "linux" else PatientSimpleWorker
    worker = kind(
        [queue],
        connection=worker_redis(),
        queue_class=BellQueue,
        job_class=JsonJob,
        serializer=JSONSerializer,
        maintenance_interval=60,
        job_monitoring_interval=5,
        worker_ttl=LIVES_SECONDS,
    )
    worker.app = app
    worker.imminent_shutdown_delay = grace  # type: ignore[attr-defined]
    return worker


if __name__ == "__main__":
    main(sys.argv[1:])
