"""Whether processes are still there."""

import sys
import time

import pytest

from local.postgres import command_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def gone(pids: list[int], seconds: float = 5) -> bool:
    """True as soon as none of `pids` runs; False when one still does after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(command_of(pid) for pid in pids):
            return True
        time.sleep(0.01)
    return False
