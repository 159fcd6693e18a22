"""Holds the embedded PostgreSQL and Redis for all who use them, and stops them when the last has gone.

Users hold a shared lock on a file as long as they live (kill -9 frees it too); when the keeper gets that lock
for itself, nobody is left. `python -m local.keeper FOLDER` is started by local/shared.py, never by hand.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from local import postgres, redis, state

POLL_SECONDS = 0.1


def try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(folder: Path) -> None:
    signal.signal(signal.SIGTERM, leave)
    with (folder / "keeper.lock").open("w") as mine, (folder / "users.lock").open("w") as users:
        if not try_lock(mine, fcntl.LOCK_EX):
            return
        hold(folder, users)


def leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def hold(folder: Path, users: IO[str]) -> None:
    """Runs both servers until nobody uses them; one that dies is started again on its port."""
    last, told = state.read(folder / "ports.json"), folder / "servers.json"
    database = postgres.start(folder / "postgres", port=last.get("postgres", 0))
    bell = redis.start(folder / "redis", port=last.get("redis", 0))
    try:
        while True:
            state.write(folder / "ports.json", {"postgres": database.port, "redis": bell.port})
            state.write(told, database.addresses() | {"REDIS_URL": bell.url()})
            wait_for_change(users, database, bell)
            if try_lock(users, fcntl.LOCK_EX):
                return
            if not database.guarded.alive():
                database = postgres.start(folder / "postgres", port=database.port)
            if not bell.guarded.alive():
                bell = redis.start(folder / "redis", port=bell.port)
    finally:
        told.unlink(missing_ok=True)
        bell.stop()
        database.stop()


def wait_for_change(users: IO[str], database: postgres.Postgres, bell: redis.Redis) -> None:
    while database.guarded.alive() and bell.guarded.alive():
        if try_lock(users, fcntl.LOCK_EX):
            return
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
