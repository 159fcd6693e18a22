"""What the checks found last: however many ask each process, the database is asked once a second."""

import threading

from flask import current_app

from portal import clock
from portal.operating.check import Result, look_at
from portal.operating.ready import READY, STATEMENT_SECONDS

LOOK_AGAIN = 1.0  # seconds
_looking = threading.Lock()


def looked() -> list[Result]:
    """Within the last second; while somebody looks, what was found before. Only the first look is waited for."""
    if not _is_old() or not _looking.acquire(blocking=not _found()[1]):
        return list(_found()[1])
    try:
        if _is_old():
            found = look_at(READY, STATEMENT_SECONDS)
            current_app.extensions["ready"] = (clock.monotonic(), found)
    finally:
        _looking.release()
    return list(_found()[1])


def _found() -> tuple[float, list[Result]]:
    found: tuple[float, list[Result]] = current_app.extensions.get("ready", (float("-inf"), []))
    return found


def _is_old() -> bool:
    return clock.monotonic() - _found()[0] >= LOOK_AGAIN
