"""Who is killed: each kind finds its victims among the processes that the storm started."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from storm import processes
from storm.processes import Process
from storm.site import Site

LONGEST_DOWN = 1.0
WAIT_FOR_A_JOB, WAIT_FOR_A_CALL = 0.5, 1.0


@dataclass(frozen=True)
class Kind:
    """`often`: its share of the kills. `aimed`: it strikes when a call to Autotask has just been made."""

    name: str
    often: int
    part: str
    victims: Callable[[list[Process]], list[Process]]
    aimed: bool = False


def top(found: list[Process]) -> list[Process]:
    """The process that the part's guard started."""
    return found[:1]


def children(found: list[Process]) -> list[Process]:
    return [one for one in found if one.parent == found[0].pid] if found else []


def named(*names: str) -> Callable[[list[Process]], list[Process]]:
    """The oldest processes of these names, or with one in their command: not their forks."""

    def choose(found: list[Process]) -> list[Process]:
        same = [one for one in found if any(one.name == name or name in one.command for name in names)]
        pids = {one.pid for one in same}
        return [one for one in same if one.parent not in pids]

    return choose


def jobs(found: list[Process]) -> list[Process]:
    """RQ's child, while it does a job."""
    workers = {one.pid for one in named("deliveries", "syncs")(found)}
    return [one for one in found if one.parent in workers]


KINDS = (
    Kind("web worker", 57, "web", children),
    Kind("Redis", 18, "redis", top),
    Kind("job under way", 9, "worker", jobs),
    Kind("queue worker", 4, "worker", named("deliveries")),
    Kind("poller", 3, "worker", named("poller", "jobs.poll"), aimed=True),
    Kind("database backend", 3, "postgres", children, aimed=True),
    Kind("whole database", 2, "postgres", top, aimed=True),
    Kind("whole web server", 2, "web", top),
    Kind("whole worker", 1, "worker", top, aimed=True),
    Kind("scheduler", 1, "scheduler", top),
)


class Killer:
    """Kills by chance, the same for the same seed as far as the victims are there."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site, self.random = site, chance
        self.counts: Counter[str] = Counter()

    def strike(self, kind: Kind | None = None) -> bool:
        """One kill. False when no process of the kind is there just now."""
        chosen = kind or self.random.choices(KINDS, [one.often for one in KINDS])[0]
        part = self.site.parts[chosen.part]
        victims = self._victims(chosen)
        if chosen.aimed:
            self._wait_for_a_call()
        if not victims or not processes.kill(self.random.choice(victims)):
            return False
        part.due = time.monotonic() + self.random.uniform(0, LONGEST_DOWN)
        self.counts[chosen.name] += 1
        return True

    def _wait_for_a_call(self) -> None:
        """Until a delivery is in the middle of its three calls; not for long, there may be none."""
        before, deadline = self.site.autotask.calls(), time.monotonic() + WAIT_FOR_A_CALL
        while self.site.autotask.calls() == before and time.monotonic() < deadline:
            time.sleep(0.005)

    def _victims(self, kind: Kind) -> list[Process]:
        part, deadline = self.site.parts[kind.part], time.monotonic() + WAIT_FOR_A_JOB
        while True:
            victims = kind.victims(part.processes()) if part.alive() else []
            if victims or kind.victims is not jobs or time.monotonic() > deadline:
                return victims
            time.sleep(0.005)

    @property
    def total(self) -> int:
        return sum(self.counts.values())
