"""What the launchers of PostgreSQL and Valkey share: free ports, a guarded process, a bounded wait."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")


class ServerFailed(RuntimeError):
    """A server did not start; the message ends with the last lines of its log."""


def free_port(preferred: int = 0) -> int:
    """`preferred` if nothing listens there on 127.0.0.1, otherwise any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise ServerFailed("No free port on 127.0.0.1.")


class Guarded:
    """A command under local/guard.py: it ends with `stop()` and with this process, however that ends."""

    def __init__(
        self, command: list[str], *, log: Path, stop: str = "TERM", grace: float = 8, user: str = ""
    ) -> None:
        options = ["--stop", stop, "--grace", str(grace), "--user", user]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(GUARD), *options, "--", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

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
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def stop(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def ending_signals_exit() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP end the process like Ctrl-C does: through `finally`."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_root() -> bool:
    return os.geteuid() == 0
