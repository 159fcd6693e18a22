"""pytest's loop, in which each break is made in a process forked after everything was collected."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from types import CodeType
from typing import Any

import pytest

from mutants import changing, places
from mutants.places import Place

PATIENCE = 20.0  # more than the tests took when nothing was broken
Key = tuple[str, str, int]


@dataclass
class Result:
    """What came of one break: killed by a failing test, timeout, or survived; `tests` were asked."""

    file: str
    line: int
    what: str
    outcome: str
    tests: int
    seconds: float


class Loop:
    """A plugin of pytest: learns which test calls what, then breaks one place after the other."""

    def __init__(
        self, loud: int, files: tuple[str, ...], most: int, seed: int, until: float, only: str = "",
        seconds: float = 20.0, known: Mapping[tuple[str, int, str], Result] | None = None,
    ) -> None:  # fmt: skip
        self.loud, self.seconds_for_one, self.known = loud, seconds, known or {}
        self.files, self.most, self.seed, self.until, self.only = files, most, seed, until, only
        self.calls: dict[str, list[Key]] = {}
        self.seconds: dict[str, float] = {}
        self.results: list[Result] = []
        self.places_there = 0
        self.broken_before = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.learn(session)
        if self.broken_before:
            return True
        chosen = self.choose()
        for number, (name, place) in enumerate(chosen):
            if time.monotonic() > self.until:
                self.say(f"Time is over after {number} of {len(chosen)}.")
                break
            before = self.known.get((name, place.line, place.what[:400]))
            result = before or self.ask(session, name, place)
            if result is not None:
                self.results.append(result)
                self.say(json.dumps(asdict(result)))
        return True

    def say(self, line: str) -> None:
        """Past pytest, whose own output goes nowhere."""
        os.write(self.loud, f"{line}\n".encode())

    def choose(self) -> list[tuple[str, Place]]:
        """As many as wished of all places, at random by the seed."""
        there = [
            (name, place)
            for name in self.files
            for place in places.places(changing.module_of(name)[1].read_text())
            if self.only in f"{name}:{place.line}: {place.what}"
        ]
        self.places_there = len(there)
        random.Random(self.seed).shuffle(there)
        return there[: self.most or len(there)]

    def learn(self, session: pytest.Session) -> None:
        """Runs everything once, in a process of its own, with nothing broken."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            learned = learned_here(
                session, {str(changing.module_of(name)[1].resolve()) for name in self.files}
            )
            with os.fdopen(writing, "w") as stream:
                json.dump(learned, stream)
            leave(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            self.calls, self.seconds, self.broken_before = json.loads(
                stream.read() or '[{}, {}, "the process died"]'
            )
        os.waitpid(pid, 0)
        self.calls = {name: [tuple(key) for key in keys] for name, keys in self.calls.items()}  # type: ignore[misc]
        self.say(
            f"{len(self.seconds)} tests take {sum(self.seconds.values()):.0f} s when nothing is broken. {self.broken_before}"
        )

    def tests_of(self, session: pytest.Session, name: str, place: Place) -> list[pytest.Item]:
        """Those that call what holds the place, or what uses the value, in turns of each file's; the quick ones first."""
        module = changing.module_of(name)[1]
        path, items = str(module.resolve()), self.in_turns(session)
        users = places.users(module.read_text(), place)
        if users:
            keys = {(path, *one) for one in users}
            items = [item for item in items if not keys.isdisjoint(self.calls.get(item.nodeid, []))]
        chosen: list[pytest.Item] = []
        seconds = 0.0
        for item in items:
            seconds += self.seconds[item.nodeid]
            if seconds > self.seconds_for_one and chosen:
                break
            chosen.append(item)
        return chosen

    def in_turns(self, session: pytest.Session) -> list[pytest.Item]:
        """The quick tests of each file first, in as much time of one file as of another: each may notice what others do not."""
        spent: defaultdict[str, float] = defaultdict(float)
        turns = []
        for item in sorted(session.items, key=lambda item: self.seconds.get(item.nodeid, 0.0)):
            file = item.nodeid.partition("::")[0]
            turns.append((spent[file], item))
            spent[file] += self.seconds.get(item.nodeid, 0.0)
        return [item for _, item in sorted(turns, key=lambda turn: turn[0])]

    def ask(self, session: pytest.Session, name: str, place: Place) -> Result | None:
        items, began = self.tests_of(session, name, place), time.monotonic()
        code = self.forked(session, name, place, items) if items else 0
        if code == UNBREAKABLE:
            return None
        outcome = {0: "survived", TIMEOUT: "timeout"}.get(code, "killed") if items else "no test"
        return Result(
            name, place.line, place.what[:400], outcome, len(items), round(time.monotonic() - began, 2)
        )

    def forked(self, session: pytest.Session, name: str, place: Place, items: list[pytest.Item]) -> int:
        expected = sum(self.seconds[item.nodeid] for item in items)
        pid = os.fork()
        if pid == 0:
            quiet()
            os.setsid()
            module, file = changing.module_of(name)
            try:
                changing.put_in(import_module(module), places.broken(file.read_text(), place.number), place)
            except changing.Unbreakable:
                leave(UNBREAKABLE)
            except BaseException:
                leave(1)  # the broken value cannot even be made
            leave(int(run(session, items)))
        return ended(pid, PATIENCE + 4 * expected)


TIMEOUT, UNBREAKABLE = 98, 97


def ended(pid: int, seconds: float) -> int:
    """Its exit code; TIMEOUT, and it is killed with all it started, after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            end_group(pid)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    end_group(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return TIMEOUT


def end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def run(session: pytest.Session, items: list[pytest.Item]) -> bool:
    """True as soon as one fails."""
    for place, item in enumerate(items):
        after = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            return True
    return False


def learned_here(session: pytest.Session, paths: set[str]) -> tuple[dict[str, Any], dict[str, float], str]:
    """By test: the functions of these files that it calls, and how long it takes; and what fails already."""
    called: dict[str, set[Key]] = defaultdict(set)
    now = [""]

    def noted(code: CodeType, _: int) -> Any:
        if code.co_filename not in paths:
            return watching.DISABLE
        called[now[0]].add((code.co_filename, code.co_name, code.co_firstlineno))
        return None

    watching: Any = sys.monitoring  # type: ignore[attr-defined]  # of Python 3.12
    watching.use_tool_id(watching.COVERAGE_ID, "mutants")
    watching.register_callback(watching.COVERAGE_ID, watching.events.PY_START, noted)
    watching.set_events(watching.COVERAGE_ID, watching.events.PY_START)
    seconds: dict[str, float] = {}
    for place, item in enumerate(session.items):
        now[0], began = item.nodeid, time.monotonic()
        after = session.items[place + 1] if place + 1 < len(session.items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        seconds[item.nodeid] = time.monotonic() - began
        if session.testsfailed:
            return {}, {}, f"{item.nodeid} fails although nothing is broken."
    return {name: sorted(keys) for name, keys in called.items()}, seconds, ""


def quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def leave(code: int) -> None:
    os._exit(code)
