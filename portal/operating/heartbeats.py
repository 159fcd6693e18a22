"""Heartbeats as rows: the poller writes its own, and what workers and the scheduler said in Redis."""

from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from portal.extensions import db
from portal.models import Heartbeat
from portal.queue import beats, web_redis
from portal.queue.names import POLLER

log = structlog.get_logger(__name__)


def write() -> None:
    """Commits. While Redis is away only the poller is heard of, which is the truth: nobody else can work then."""
    _keep(POLLER, beats.host(), 0.0)
    try:
        for process, host, age in beats.heard(web_redis()):
            _keep(process, host, age)
    except RedisError as error:
        log.warning("heartbeats.redis_away", error=type(error).__name__)
    db.session.commit()


def ages() -> dict[str, float]:
    """Seconds since each kind of process was last heard of, by the database's clock."""
    age = func.extract("epoch", func.clock_timestamp() - func.max(Heartbeat.beat_at))
    rows = db.session.execute(select(Heartbeat.process, age).group_by(Heartbeat.process))
    return {process: float(seconds) for process, seconds in rows}


def _keep(process: str, host: str, age: float) -> None:
    then = func.clock_timestamp() - timedelta(seconds=age)
    statement = insert(Heartbeat).values(process=process, host=host, beat_at=then)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["process", "host"],
            set_={"beat_at": func.greatest(Heartbeat.beat_at, statement.excluded.beat_at)},
        )
    )
