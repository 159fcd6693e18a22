"""One process of a deploy: begun, told to end as a platform tells it, and begun again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local.environment import PROJECT

# Ends with this process; takes the socket as number 3, as systemd hands it over, and becomes the module.
BECOME = """
import ctypes, os, runpy, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
held = int(sys.argv[1])
if held >= 0:
    os.dup2(held, 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
BOOTED = "Booting worker"
LONGEST_BOOT = 120.0
PROMISED_END = 20.0
LONGEST_END = 60.0


class Program:
    """`words` are a module and its arguments, run in the folder of a release; a web process takes `held`."""

    def __init__(
        self,
        words: list[str],
        environment: Mapping[str, str],
        log: Path,
        held: socket.socket | None = None,
        release: Path = PROJECT,
    ) -> None:
        self.words, self.environment, self.log, self.held, self.release = (
            words,
            environment,
            log,
            held,
            release,
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.ended_within: list[float] = []

    def begin(self) -> None:
        number = self.held.fileno() if self.held else -1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BECOME, str(number), *self.words],
                env=self.environment, cwd=self.release, pass_fds=[number] if self.held else [],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def begin_and_wait(self) -> None:
        """Returns once a web process takes requests, at once for others. Raises RuntimeError when it ends before."""
        if self.held is None:
            return self.begin()
        before = self.log.read_text(errors="replace").count(BOOTED) if self.log.exists() else 0
        self.begin()
        assert self.process is not None
        deadline = time.monotonic() + LONGEST_BOOT
        while self.log.read_text(errors="replace").count(BOOTED) == before:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.words[0]} did not start; its log is {self.log}.")
            time.sleep(0.05)
        return None

    def end(self) -> None:
        """SIGTERM, and once more as an impatient platform sends it; the seconds it took are kept."""
        if self.process is None:
            return
        began = time.monotonic()
        self.tell(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        self.tell(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LONGEST_END)
        self.ended_within.append(time.monotonic() - began)
        self.kill()

    def tell(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Whatever is left of it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
