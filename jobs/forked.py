"""A function in a forked process: what the parent holds in memory is shared with it, not loaded again."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
DEFAULTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Forked:
    """Runs `function` in a child named `name`, which is told to stop when this process ends, however that ends.

    The parent must have no threads: a lock that one of them holds would stay locked in the child.
    """

    def __init__(self, name: str, function: Callable[[], object]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.code = 0
        self.ended = False
        self.pid = os.fork()
        if self.pid == 0:
            _become(name, function)

    def alive(self) -> bool:
        if not self.ended:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.ended, self.code = True, code if code >= 0 else 128 - code
        return not self.ended

    def let_go(self) -> None:
        """Tells it to stop, without waiting."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)

    def end_by(self, deadline: float) -> None:
        """Waits until a moment of the monotonic clock, then ends it by force."""
        while self.alive():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)


def _become(name: str, function: Callable[[], object]) -> None:
    """The child's whole life; never returns."""
    code = 1
    try:
        for number in DEFAULTS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
        function()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # the process's own way to write it
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
