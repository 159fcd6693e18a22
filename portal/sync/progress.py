"""What a run notes about itself while it goes on: how far it is, how many calls it made, what time it read at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from portal.autotask.client import Client
from portal.extensions import db


@dataclass
class Progress:
    """`words` say what is read now; `total` is None while nobody knows."""

    words: str | None = None
    done: int = 0
    total: int | None = None

    @property
    def known_total(self) -> int | None:
        """How many records there are; None once more came than Autotask had counted: then nobody knows."""
        return self.total if self.total is None or self.done <= self.total else None


@dataclass
class ReadClock:
    """The database's time before the page at hand was asked for, and from when on the run reads what changed."""

    read_at: datetime
    window_from: datetime | None = None

    def look(self) -> None:
        """Notes the time before something is asked for outside of a page's transaction. Commits."""
        self.read_at = _database_time()
        db.session.commit()

    def widen(self, since: datetime) -> None:
        """What the run reads begins at the earliest moment it asks for."""
        self.window_from = min(self.window_from or since, since)


def _database_time() -> datetime:
    now: datetime | None = db.session.scalar(text("SELECT clock_timestamp()"))
    assert now is not None
    return now


@dataclass
class Calls:
    """HTTP calls of a run, those of interrupted tries included. Clients beside the first come and go."""

    earlier: int
    at_work: dict[Client, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return self.earlier + sum(client.calls - before for client, before in list(self.at_work.items()))

    @contextmanager
    def of(self, client: Client) -> Iterator[None]:
        """Counts this client's calls into the run."""
        self.at_work[client] = client.calls
        try:
            yield
        finally:
            self.earlier += client.calls - self.at_work.pop(client)


@dataclass
class Memory:
    """What a run found out once and need not ask again.

    `asked` are kinds of record that a person is asked about; `unknown_companies` those that Autotask does not show;
    `has_failed` whether a person is told that the last run of this kind failed.
    """

    asked: set[str] = field(default_factory=set)
    unknown_companies: set[int] = field(default_factory=set)
    has_adopted: bool | None = None
    has_failed: bool = False
