"""Counted things become rows, which all processes of all machines add to."""

import json
import threading
from collections import Counter
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal import counts
from portal.counts import Key
from portal.extensions import db
from portal.queue import web_redis

log = structlog.get_logger(__name__)
EVERY_SECONDS = 15.0
# Where processes without a connection to PostgreSQL leave theirs for the poller.
LEFT = "portal:counts"
FORGOTTEN_SECONDS = 3600
MOST_LEFT, LONGEST_FIELD = 2000, 500
ADD = text("""
    INSERT INTO metric_count (name, labels, value)
    SELECT * FROM unnest(CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:values AS bigint[]))
    ON CONFLICT (name, labels) DO UPDATE SET value = metric_count.value + excluded.value""")


def write() -> None:
    """Adds what this process has counted. Commits; what cannot be written waits for the next time."""
    _write(counts.take())


def write_all() -> None:
    """The poller's: also what workers and the scheduler left in Redis."""
    write()
    try:
        left = _collect(web_redis())
    except RedisError:
        return
    _write(left)


def leave(connection: Redis) -> None:
    """In Redis, for the poller, by a process that holds no connection to PostgreSQL. Raises RedisError."""
    taken = counts.take()
    if not taken:
        return
    pipeline = connection.pipeline()
    for (name, labels), number in taken.items():
        pipeline.hincrby(LEFT, json.dumps([name, *labels]), number)
    pipeline.expire(LEFT, FORGOTTEN_SECONDS)
    try:
        pipeline.execute()
    except RedisError:
        counts.give_back(taken)
        raise


def keep_writing(app: Flask) -> threading.Thread:
    """In a web process: a thread that writes every 15 seconds, for as long as the process lives."""

    def go_on() -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_SECONDS):
            write_quietly(app)

    thread = threading.Thread(target=go_on, name="counting", daemon=True)
    thread.start()
    return thread


def write_quietly(app: Flask) -> None:
    """Without the database it stays for later."""
    with app.app_context():
        try:
            write()
        except SQLAlchemyError as error:
            log.info("counts.wait", error=type(error).__name__)


def _write(taken: Counter[Key]) -> None:
    try:
        _add(taken)
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        counts.give_back(taken)
        raise


def _collect(connection: Any) -> Counter[Key]:
    """Takes it out of Redis, which is not trusted: what is no count of ours is dropped."""
    pipeline = connection.pipeline(transaction=True)
    pipeline.hgetall(LEFT)
    pipeline.delete(LEFT)
    found: Counter[Key] = Counter()
    for field, number in list(pipeline.execute()[0].items())[:MOST_LEFT]:
        key = _read(field)
        if key is not None and number.isdigit() and len(number) < 16:
            found[key] += int(number)
    return found


def _read(field: bytes) -> Key | None:
    try:
        name, *labels = json.loads(field[:LONGEST_FIELD])
    except (ValueError, TypeError):
        return None
    if not all(isinstance(one, str) and one.isprintable() for one in (name, *labels)):
        return None
    key = (name, tuple(labels))
    return key if counts.is_known(key) else None


def _add(found: Counter[Key]) -> None:
    """In one order for everybody, so that two who write at once do not wait for each other."""
    rows = sorted((name, json.dumps(labels), number) for (name, labels), number in found.items())
    if rows:
        names, labels, values = (list(column) for column in zip(*rows, strict=True))
        db.session.execute(ADD, {"names": names, "labels": labels, "values": values})
