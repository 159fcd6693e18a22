"""Jobs that leave a trace in Redis, for the tests of workers."""

import time

from flask import current_app
from redis import Redis

SAMPLES = {
    "tests.jobs.sample_jobs.leave_trace": ("number",),
    "tests.jobs.sample_jobs.leave_trace_slowly": ("number",),
    "tests.jobs.sample_jobs.fail": (),
}


def leave_trace(number: int) -> None:
    """Appends `number` to the list `trace` of the app's Redis."""
    with Redis.from_url(current_app.config["REDIS_URL"]) as connection:
        connection.rpush("trace", number)


def leave_trace_slowly(number: int) -> None:
    """Says when it begins, then takes two seconds."""
    leave_trace(number)
    time.sleep(2)
    leave_trace(number + 1)


def fail() -> None:
    """Raises."""
    raise RuntimeError("planted")
