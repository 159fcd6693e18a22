"""What was asked and what it changed, for people who watch and for tests that assert."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

KEPT = 10_000
BODY_KEPT = 20_000


@dataclass(frozen=True)
class Change:
    """What one action did to one record: field name to its value before and after."""

    entity: str
    id: int
    action: str
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass
class Request:
    """One call of the API. `status` 0: no whole answer was sent. `fault` names what hit it."""

    at: datetime
    method: str
    path: str
    entity: str
    verb: str
    query: str
    body: str
    status: int = 0
    changed: list[Change] = field(default_factory=list)
    fault: str = ""
    says: str = ""
    number: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


class RequestLog:
    """The newest requests, oldest first, and how many there were of each kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Request] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._number = 0

    def add(self, request: Request) -> None:
        with self._lock:
            self._number += 1
            request.number = self._number
            self._kept.append(request)
            self._counts[(request.entity, request.verb)] += 1

    def all(self) -> list[Request]:
        with self._lock:
            return list(self._kept)

    def calls(self, entity: str | None = None, verb: str | None = None) -> list[Request]:
        """Requests of an entity ("Invoices") and verb ("query", "patch", …), either left open."""
        return [
            one
            for one in self.all()
            if (entity is None or one.entity == entity) and (verb is None or one.verb == verb)
        ]

    def counts(self) -> dict[str, int]:
        """Number of calls by "Entity verb", also of those no longer kept."""
        with self._lock:
            return {f"{entity} {verb}": count for (entity, verb), count in sorted(self._counts.items())}

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._counts.clear()
