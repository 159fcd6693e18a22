"""Waiting for processes, with an end."""

import time
from collections.abc import Callable

SECONDS = 60


def until(true: Callable[[], object]) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + SECONDS
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(true())
