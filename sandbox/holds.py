"""Holding calls while a test looks, kills, or sends another one."""

from __future__ import annotations

import threading
from types import TracebackType

LONGEST_SECONDS = 60.0


class Hold:
    """Calls of an entity and verb stop after login and limits, before they take effect, until `release`."""

    def __init__(self, holds: Holds, entity: str | None, verb: str | None) -> None:
        self._holds = holds
        self.entity = entity
        self.verb = verb
        self._changed = threading.Condition()
        self._waiting = 0
        self._released = False

    def matches(self, entity: str, verb: str) -> bool:
        return self.entity in (None, entity) and self.verb in (None, verb)

    def stop_here(self) -> None:
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._released, LONGEST_SECONDS)
            self._waiting -= 1

    def wait_for(self, calls: int, seconds: float = 10.0) -> bool:
        """Waits until so many calls are held; False when they do not come in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting >= calls, seconds)

    def release(self) -> None:
        """Lets the held calls go, and all later ones."""
        self._holds.drop(self)
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Holds:
    """All holds in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[Hold] = []

    def add(self, entity: str | None, verb: str | None) -> Hold:
        hold = Hold(self, entity, verb)
        with self._lock:
            self._held.append(hold)
        return hold

    def drop(self, hold: Hold) -> None:
        with self._lock:
            self._held = [one for one in self._held if one is not hold]

    def pass_through(self, entity: str, verb: str) -> None:
        """Called by every call before its handler."""
        if not self._held:
            return
        with self._lock:
            held = [one for one in self._held if one.matches(entity, verb)]
        for one in held:
            one.stop_here()

    def release_all(self) -> None:
        for one in list(self._held):
            one.release()
