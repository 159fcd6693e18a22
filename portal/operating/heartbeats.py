"""Heartbeats as rows: the poller writes its own, and what workers and the scheduler said in Redis."""

import structlog
from redis.exceptions import RedisError
from sqlalchemy import func, select, text

from portal.extensions import db
from portal.models import Heartbeat
from portal.queue import beats, web_redis
from portal.queue.names import POLLER

SILENT_AFTER = 60.0
log = structlog.get_logger(__name__)
KEEP = text("""
    INSERT INTO heartbeat (process, host, beat_at)
    SELECT process, host, clock_timestamp() - age * interval '1 second'
    FROM unnest(CAST(:processes AS text[]), CAST(:hosts AS text[]), CAST(:ages AS float8[])) AS heard (process, host, age)
    ON CONFLICT (process, host) DO UPDATE SET beat_at = greatest(heartbeat.beat_at, excluded.beat_at)""")


def write() -> None:
    """Commits. While Redis is away only the poller is heard of, which is the truth: nobody else can work then.

    Redis is asked before a transaction begins, and rows are held in one order: whoever writes at once waits briefly.
    """
    heard = {(POLLER, beats.host()): 0.0}
    try:
        for process, host, age in beats.heard(web_redis()):
            heard[process, host] = min(age, heard.get((process, host), age))
    except RedisError as error:
        log.warning("heartbeats.redis_away", error=type(error).__name__)
    rows = sorted((*who, age) for who, age in heard.items())
    processes, hosts, ages_ = (list(column) for column in zip(*rows, strict=True))
    db.session.execute(KEEP, {"processes": processes, "hosts": hosts, "ages": ages_})
    db.session.commit()


def ages() -> dict[str, float]:
    """Seconds since each kind of process was last heard of, by the database's clock."""
    age = func.extract("epoch", func.clock_timestamp() - func.max(Heartbeat.beat_at))
    rows = db.session.execute(select(Heartbeat.process, age).group_by(Heartbeat.process))
    return {process: float(seconds) for process, seconds in rows}


def poller_is_silent() -> bool:
    """Nobody has heard of it for a minute, so what it alone does is left alone."""
    return ages().get(POLLER, SILENT_AFTER) >= SILENT_AFTER
