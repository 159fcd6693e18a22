"""The processes below one that we started, read from the system's own table."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str
    name: str = ""  # what a forked process calls itself, on Linux


def below(pid: int) -> list[Process]:
    """Children, grandchildren and so on; the process itself is not among them."""
    everything, found, parents = table(), [], {pid}
    while children := [one for one in everything if one.parent in parents and one not in found]:
        found += children
        parents = {one.pid for one in children}
    return found


def kill(process: Process) -> bool:
    """SIGKILL: nothing in the process runs any more. False when it had just ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
        return True
    return False


def memory(pid: int) -> float:
    """MB of a process on Linux, what is shared divided by those who share it; 0 for one that is gone."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+)", told, re.M)
    return int(found[1]) / 1024 if found else 0


def table() -> list[Process]:
    """Every process of the machine."""
    if sys.platform == "linux":
        read = (_read(folder) for folder in Path("/proc").iterdir() if folder.name.isdigit())
        return [one for one in read if one is not None]
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    return [_parsed(line) for line in listed.stdout.splitlines()]


def _read(folder: Path) -> Process | None:
    try:
        # The name in parentheses may itself hold any character.
        named, _, rest = (folder / "stat").read_text().rpartition(")")
        state, parent = rest.split()[:2]
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:  # it has just ended
        return None
    name = named.partition("(")[2]
    return None if state == "Z" else Process(int(folder.name), int(parent), command, name)


def _parsed(line: str) -> Process:
    pid, parent, command = line.split(None, 2)
    return Process(int(pid), int(parent), command)
