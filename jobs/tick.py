"""The scheduler dyno: rq-scheduler with its table, tried again while Redis is away: `python -m jobs.tick`."""

from __future__ import annotations

import time

import structlog
from redis.exceptions import RedisError

from jobs.schedule import TableScheduler
from portal import logs
from portal.queue import worker_redis

log = structlog.get_logger(__name__)


def main() -> None:
    from wsgi import app

    logs.call_this_process("scheduler")
    with app.app_context():
        pause = 1.0
        while True:
            started = time.monotonic()
            try:
                TableScheduler(worker_redis()).run()
            except RedisError as error:
                pause = 1.0 if time.monotonic() - started > 60 else min(pause * 2, 15)
                log.warning("scheduler.redis_away", error=type(error).__name__, again_in_seconds=pause)
            time.sleep(pause)


if __name__ == "__main__":
    main()
