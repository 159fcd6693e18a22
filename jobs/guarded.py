"""A command that ends with the process that started it, however that ends."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")


class ServerFailed(RuntimeError):
    """A server did not start; the message ends with the last lines of its log."""


class Guarded:
    """A command under jobs/guard.py: it ends with `stop()` and with this process, however that ends.

    Its output goes to the file `log`, or where none is given to the pipe `process.stdout`.
    """

    def __init__(
        self,
        command: list[str],
        *,
        log: Path | None = None,
        stop: str = "TERM",
        grace: float = 8,
        user: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        options = ["--stop", stop, "--grace", str(grace), "--user", user]
        self.log = log
        with log.open("ab") if log else contextlib.nullcontext(subprocess.PIPE) as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(GUARD), *options, "--", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )

    @property
    def code(self) -> int:
        """How it ended."""
        return self.process.returncode

    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Returns when `ready()` holds; raises ServerFailed when the process ends first or time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive() or time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"{what} did not start. The end of {self.log}:\n{self.tail()}")
            time.sleep(0.01)

    def tail(self) -> str:
        text = self.log.read_text(errors="replace") if self.log else ""
        return "\n".join(text.splitlines()[-12:])

    def let_go(self) -> None:
        """Tells the guard to stop the command, without waiting."""
        if self.process.stdin:
            self.process.stdin.close()

    def end_by(self, deadline: float) -> None:
        """Waits until a moment of the monotonic clock, then ends it by force."""
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()

    def stop(self) -> None:
        self.let_go()
        self.process.wait()
