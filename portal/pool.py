"""The pool of connections to PostgreSQL: without overflow, and as large as its process may hold."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.pool import QueuePool


@dataclass(frozen=True)
class Share:
    """What one process may hold: in its pool, and beside it. A thread waits `patience` seconds for a free one."""

    pool: int
    beside: int = 0
    patience: float = 4.0  # a page says within 5 s that the database is away

    @property
    def total(self) -> int:
        return self.pool + self.beside


class SharePool(QueuePool):
    """A pool without overflow, whose size follows what the process becomes (`Engine.dispose` makes a new one)."""

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
