"""Looks on during the storm: what is written to Autotask, and how long a wish waits to be confirmed."""

from __future__ import annotations

import threading
from typing import Any

import psycopg

from storm.autotask import Autotask

EVERY = 1.0
WRITES = ("PATCH", "PUT", "DELETE")
WAITING = "SELECT count(*), max(extract(epoch FROM clock_timestamp() - wished_at)) FROM delivery WHERE state <> 'confirmed'"


class Watch(threading.Thread):
    """`longest` seconds from a wish to its confirmation, as seen once a second."""

    def __init__(self, autotask: Autotask, superuser_url: str) -> None:
        super().__init__(name="watch", daemon=True)
        self.autotask, self.superuser_url = autotask, superuser_url
        self.stopping = threading.Event()
        self.writes: list[dict[str, Any]] = []
        self.calls = self.seen = self.waiting = 0
        self.longest = 0.0

    def run(self) -> None:
        while not self.stopping.wait(EVERY):
            self.look()

    def look(self) -> None:
        self.read_log()
        try:
            with psycopg.connect(self.superuser_url, connect_timeout=2) as connection:
                found = connection.execute(WAITING).fetchone()
        except psycopg.Error:
            return  # it was killed just now
        assert found is not None
        self.waiting, longest = int(found[0]), float(found[1] or 0)
        self.longest = max(self.longest, longest)

    def read_log(self) -> None:
        """The sandbox keeps its newest 10,000 calls; read in time, none is missed."""
        new = self.autotask.get("requests", after=self.seen)["requests"]
        self.calls += len(new)
        self.writes += [one for one in new if one["method"] in WRITES or one["verb"] == "create"]
        self.seen = new[-1]["number"] if new else self.seen
