"""What a piece of work holds while it waits for a lock that somebody else has."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import psycopg
from flask import Flask

from portal.extensions import db

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def free_meanwhile(
    app: Flask, superuser: psycopg.Connection[Any], held: str, work: Callable[[], object], lock: str
) -> bool:
    """Whether `lock` can be had while `work` waits for what `held` holds; both then go on."""
    with psycopg.connect(superuser.info.dsn, password=superuser.info.password) as other:
        other.execute(held)

        def run() -> None:
            with app.app_context():
                work()
                db.session.remove()

        thread = Thread(target=run)
        thread.start()
        for _ in range(500):
            waiting = superuser.execute(WAITS).fetchone()
            if waiting and waiting[0]:
                break
            thread.join(0.01)
        assert thread.is_alive(), "it waits"
        try:
            with superuser.transaction():
                superuser.execute("SET LOCAL lock_timeout = '200ms'")
                superuser.execute(lock)
        except psycopg.errors.LockNotAvailable:
            return False
        finally:
            other.rollback()
            thread.join(10)
    return True
