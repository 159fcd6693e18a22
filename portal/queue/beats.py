"""Workers and the scheduler say in Redis that they live: they hold no connection to PostgreSQL.

The poller writes it down (portal/operating/heartbeats.py). Ages are counted by Redis's own clock.
"""

import socket
from typing import Any

from redis import Redis

from portal.queue.names import SCHEDULER, WORKERS

KEY = "portal:beats"
FORGOTTEN_SECONDS = 3600
MOST_NAMES, LONGEST_HOST = 200, 100


def beat(connection: Redis, process: str) -> None:
    """This process, of a kind such as `worker syncs`, is heard of now. Raises RedisError."""
    connection.zadd(KEY, {f"{process}@{host()}": _now(connection)})
    connection.expire(KEY, FORGOTTEN_SECONDS)


def heard(connection: Redis) -> list[tuple[str, str, float]]:
    """Kind of process, host, and seconds since it was heard of. Raises RedisError.

    Redis is not trusted: what is no kind of process of ours is left out.
    """
    now = _now(connection)
    connection.zremrangebyscore(KEY, "-inf", now - FORGOTTEN_SECONDS)
    rows: Any = connection.zrevrange(KEY, 0, MOST_NAMES - 1, withscores=True)
    found = []
    for name, at in rows:
        process, _, where = name.decode(errors="replace").partition("@")
        if process in (*WORKERS, SCHEDULER) and where.isprintable():
            found.append((process, where[:LONGEST_HOST], max(0.0, now - at)))
    return found


def host() -> str:
    return socket.gethostname()[:LONGEST_HOST]


def _now(connection: Redis) -> float:
    seconds, millionths = connection.time()
    return float(seconds) + float(millionths) / 1e6
