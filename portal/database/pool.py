"""The pool of connections to PostgreSQL: without overflow, and as large as its process may hold."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Empty, Queue


@dataclass(frozen=True)
class Share:
    """What one process may hold: in its pool, and beside it. A thread waits `patience` seconds for a free one."""

    pool: int
    beside: int = 0
    patience: float = 4.0  # a page says within 5 s that the database is away

    @property
    def total(self) -> int:
        return self.pool + self.beside


class Turns(Queue[Any]):
    """Who waited longest gets the next connection.

    SQLAlchemy's own queue lets a thread that has just given one back take it again before those who wait for it; with
    more threads than connections some of them never come first.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self.line: list[object] = []

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        mine = object()
        until = None if timeout is None else monotonic() + timeout
        with self.not_empty:
            self.line.append(mine)
            try:
                while self._empty() or self.line[0] is not mine:
                    left = None if until is None else until - monotonic()
                    if not block or (left is not None and left <= 0):
                        raise Empty
                    self.not_empty.wait(left)
                return self._get()
            finally:
                self.line.remove(mine)
                self.not_empty.notify_all()

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.not_empty.notify_all()


class SharePool(QueuePool):
    """A pool without overflow, whose size follows what the process becomes (`Engine.dispose` makes a new one)."""

    _queue_class = Turns
    share: Share | None = None

    def recreate(self) -> SharePool:
        share = SharePool.share
        return SharePool(
            self._creator,
            pool_size=share.pool if share else self.size(),
            max_overflow=0,
            timeout=share.patience if share else self._timeout,
            pre_ping=self._pre_ping,
            recycle=self._recycle,
            echo=self.echo,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )
