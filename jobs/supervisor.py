"""Keeps named processes running: the dead started again, all stopped together.

A command has its output prefixed by its name, and a guard (jobs/guard.py), so that it never outlives the
supervisor, whatever ends that. A forked function writes where the supervisor writes.

Ours, because RQ's worker pool and the usual supervisors start commands only: none forks processes that share what their
parent has loaded, which saves 90 MB each.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Literal, TextIO

from jobs import lines
from jobs.forked import Forked
from jobs.guarded import Guarded

FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.5, 30.0, 60.0
# What dies ten times in a row within 30 s of its start does not mend itself: about two minutes of trying.
QUICK_SECONDS, QUICK_DEATHS = 30.0, 10
GAVE_UP = 70  # EX_SOFTWARE
EXTRA_SECONDS = 1.5  # above a process's own grace, for the guard to end it by force

Event = Literal["stop", "ended"]


@dataclass
class Process:
    """One named process, how to begin it, and how its restarts went."""

    name: str
    begin: Callable[[], Guarded | Forked]
    running: Guarded | Forked | None = None
    started: float = 0
    pause: float = FIRST_PAUSE
    due: float | None = 0
    starts: int = field(default=0)
    quick_deaths: int = field(default=0)

    def died(self, now: float) -> None:
        """Counts the death, and plans the next start."""
        lived = now - self.started
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_SECONDS else 0
        pause = FIRST_PAUSE if lived > STEADY_SECONDS else self.pause
        self.due, self.pause = now + pause, min(pause * 2, LONGEST_PAUSE)


class Supervisor:
    """`add()` processes, then `run()` until SIGINT, SIGTERM, SIGHUP or `request_stop()`.

    A process that keeps dying right after its start ends it all, with 70: whoever started the supervisor must
    see that the work is not done.
    """

    def __init__(self, grace: float = 8, output: TextIO | None = None, as_json: bool = False) -> None:
        self.grace, self.as_json = grace, as_json
        self.output = output or sys.stdout
        self.processes: list[Process] = []
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.width = 8
        self.stopping = False
        self.code = 0

    def add(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None, after: float = 0
    ) -> None:
        """Starts in `after` seconds. `environment` replaces the supervisor's own; None passes that on."""
        self.width = max(self.width, len(name))

        def begin() -> Guarded:
            guarded = Guarded(command, grace=self.grace, environment=environment)
            threading.Thread(target=self.follow, args=(name, guarded), daemon=True).start()
            return guarded

        self.processes.append(Process(name, begin, due=time.monotonic() + after))

    def fork(self, name: str, function: Callable[[], object]) -> None:
        """Linux only, and not beside commands: their output is followed by threads."""
        signal.signal(signal.SIGCHLD, lambda *_: self.events.put("ended"))
        self.processes.append(Process(name, lambda: Forked(name, function)))

    def request_stop(self, *_: object) -> None:
        """Safe in signal handlers and threads."""
        self.events.put("stop")

    def run(self) -> int:
        """Blocks until told to stop (0) or it gives up (70); nothing is left running then."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.request_stop)
        try:
            while not self.stopping:
                self.start_due()
                self.wait_for_event()
        finally:
            self.stop_all()
        return self.code

    def start_due(self) -> None:
        now = time.monotonic()
        for process in self.processes:
            if process.due is not None and process.due <= now:
                self.start(process)

    def start(self, process: Process) -> None:
        process.due, process.started = None, time.monotonic()
        process.starts += 1
        process.running = process.begin()

    def follow(self, name: str, guarded: Guarded) -> None:
        """In a thread: passes the output on; the guard closes it when the command has ended."""
        assert guarded.process.stdout
        for line in guarded.process.stdout:
            self.show(name, line.decode(errors="replace").rstrip("\n"))
        guarded.process.wait()
        self.events.put("ended")

    def show(self, name: str, line: str, level: str = "info") -> None:
        try:
            self.output.write(f"{self.labelled(name, line, level)}\n")
            self.output.flush()
        except (BrokenPipeError, ValueError):  # whoever read our output has gone
            self.request_stop()

    def labelled(self, name: str, line: str, level: str) -> str:
        """With the name in front for a terminal; else as a log line, and as it is where it is one already."""
        if not self.as_json:
            return f"{name:<{self.width}} | {line}"
        return line if lines.is_line(line) else lines.line(level, line, process=name)

    def wait_for_event(self) -> None:
        dues = [process.due for process in self.processes if process.due is not None]
        timeout = max(0, min(dues) - time.monotonic()) if dues else None
        try:
            event = self.events.get(timeout=timeout)
        except Empty:
            return
        if event == "stop":
            self.stopping = True
        else:
            self.plan_restarts()

    def plan_restarts(self) -> None:
        now = time.monotonic()
        for process in self.processes:
            if process.running and not process.running.alive():
                code = process.running.code
                process.running.let_go()
                process.running = None
                process.died(now)
                if code == GAVE_UP or process.quick_deaths >= QUICK_DEATHS:
                    self.give_up(process, code)
                else:
                    pause = (process.due or now) - now
                    self.show(process.name, f"ended with {code}; starting again in {pause:g} s", "warning")

    def give_up(self, process: Process, code: int) -> None:
        process.due = None
        how = "gave up" if code == GAVE_UP else f"ended with {code}, {process.quick_deaths} times in a row"
        self.show(
            process.name, f"{how}: nothing is started any more, all of it stops with {GAVE_UP}", "error"
        )
        self.stopping, self.code = True, GAVE_UP

    def stop_all(self) -> None:
        """All at once, so that the slowest decides how long it takes: at most `grace` and 1.5 s."""
        running = [process.running for process in self.processes if process.running]
        for one in running:
            one.let_go()
        deadline = time.monotonic() + self.grace + EXTRA_SECONDS
        for one in running:
            one.end_by(deadline)
