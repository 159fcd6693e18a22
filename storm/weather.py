"""What Autotask does meanwhile: away, failing, slow, or doing what it is told and losing the answer."""

from __future__ import annotations

import random
import threading
from collections import Counter

from storm.autotask import Autotask

AFTER = (2.0, 9.0)
SLOW_SECONDS = 2.0


class Weather(threading.Thread):
    """One trouble after another until stopped; then the sky is clear."""

    def __init__(self, autotask: Autotask, chance: random.Random) -> None:
        super().__init__(name="weather", daemon=True)
        self.autotask, self.random = autotask, chance
        self.stopping = threading.Event()
        self.counts: Counter[str] = Counter()
        self.kinds = {"away": self.away, "failing": self.failing, "slow": self.slow, "answer lost": self.lost}

    def run(self) -> None:
        while not self.stopping.wait(self.random.uniform(*AFTER)):
            name = self.random.choice(list(self.kinds))
            self.kinds[name]()
            self.counts[name] += 1
        self.autotask.post("clear_faults")
        self.autotask.post("reset_switches")

    def away(self) -> None:
        """Nobody listens."""
        self.autotask.post("add_fault", kind="connection_refused", seconds=self.random.uniform(0.5, 3.0))

    def failing(self) -> None:
        """503 for a few calls."""
        self.autotask.post("add_fault", kind="server_error", status=503, times=self.random.randint(1, 5))

    def slow(self) -> None:
        """Every call takes 0.3 s for a while."""
        self.autotask.post("switches", pace=0.3)
        self.stopping.wait(SLOW_SECONDS)
        self.autotask.post("switches", pace=0)

    def lost(self) -> None:
        """Writes take effect, and the connection breaks instead of an answer."""
        kind = self.random.choice(("connection_dropped", "reset_mid_body"))
        self.autotask.post(
            "add_fault", kind=kind, entity="Invoices", verb="patch", times=self.random.randint(1, 2)
        )
