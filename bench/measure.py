"""What `bin/bench` measures: reading through the portal's own job beside the raw limit, in turns, on the same servers."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import peers, read_everything
from bench.places import Places, places
from bench.read_everything import Figure

FIRST, AGAIN, QUIET = "first read", "read again, nothing changed", "quiet hour"
PAUSE_OF_AUTOTASK = 0.1  # seconds an answer, nearer to the real one


@dataclass(frozen=True)
class Setting:
    """One size on one server. `version` is PostgreSQL's, None for the embedded one; `pace` seconds an answer."""

    invoices: int
    version: int | None = None
    pace: float = 0.0

    @property
    def words(self) -> str:
        server = f"PostgreSQL {self.version}" if self.version else "the embedded PostgreSQL"
        slow = f", {self.pace * 1000:.0f} ms an answer" if self.pace else ""
        return f"{self.invoices:,} invoices, {server}{slow}"


@dataclass(frozen=True)
class Side:
    """One measurement. `load` is the machine's, over the last minute, when it began."""

    setting: Setting
    work: str
    who: str
    figure: Figure
    load: float


def rounds(setting: Setting, number: int, beside: Sequence[str] = ()) -> Iterator[Side]:
    """Each round has servers and databases of its own; who comes first changes with the round."""
    whole = ("limit", *beside, "portal")
    for turn in range(number):
        with places(max(setting.invoices // 15, 50), setting.invoices, setting.pace, setting.version) as at:
            for environment in (at.environment, at.limit_environment):
                read_everything.prepare(environment)
            for work in (FIRST, AGAIN):
                for who in whole if turn % 2 == 0 else whole[::-1]:
                    load = os.getloadavg()[0]
                    yield Side(setting, work, who, _figure(at, setting, work, who), load)
            load = os.getloadavg()[0]
            yield Side(setting, QUIET, "portal", read_everything.read(at, QUIET, kind="new"), load)


def _figure(at: Places, setting: Setting, work: str, who: str) -> Figure:
    """The limit asks side by side where answers take their time, as the portal does everywhere."""
    if who == "portal":
        return read_everything.read(at, work)
    if who == peers.DLT:
        return peers.read(at, work)
    return read_everything.limit(at, work, read_everything.AT_ONCE if setting.pace else 1)


def medians(sides: Sequence[Side]) -> dict[tuple[Setting, str, str], Side]:
    """By setting, work and who: the measurement in the middle of its rounds, with the largest load of them."""
    groups: dict[tuple[Setting, str, str], list[Side]] = {}
    for side in sides:
        groups.setdefault((side.setting, side.work, side.who), []).append(side)
    return {key: _middle(group) for key, group in groups.items()}


def _middle(group: Sequence[Side]) -> Side:
    """Of an even number, the faster of the two in the middle."""
    found = sorted(group, key=lambda side: side.figure.seconds)[(len(group) - 1) // 2]
    return Side(found.setting, found.work, found.who, found.figure, max(side.load for side in group))
