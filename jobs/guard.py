"""Runs one command and stops it when whoever started the guard goes away.

The guard's standard input is a pipe that its parent holds open. The pipe closes when the parent dies, however
it dies (kill -9 included), on Linux and macOS alike; then the guard stops the command. Run as a file:
    python -S -E jobs/guard.py [--stop SIGNAL] [--grace SECONDS] [--user NAME] -- COMMAND...
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    options, command = read_arguments(arguments)
    woken = wake_on_child()
    adopt_orphans()
    child = start(command, options)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(woken[1], b"stop"))
    wait_for_end(child, woken[0])
    stop(child, getattr(signal, "SIG" + options["stop"]), float(options["grace"]))
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def read_arguments(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    split = arguments.index("--")
    pairs = arguments[:split]
    options = {"stop": "TERM", "grace": "8", "user": ""}
    options.update({pairs[i].removeprefix("--"): pairs[i + 1] for i in range(0, len(pairs), 2)})
    return options, arguments[split + 1 :]


def wake_on_child() -> tuple[int, int]:
    """A pipe that becomes readable when the child ends or a stop signal comes: waiting needs no polling."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader, writer


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """On Linux, grandchildren whose parent died become the guard's, so that it can end them too."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def start(command: list[str], options: dict[str, str]) -> subprocess.Popen[bytes]:
    ending = getattr(signal, "SIG" + options["stop"])
    if sys.platform == "linux":
        import ctypes  # noqa: F401  (loaded before the fork: the child must not import)
    # A group of its own: Ctrl-C in the terminal reaches only the supervisor, which stops things in order.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, ending),
        **identity(options["user"]),
    )


def identity(user: str) -> dict[str, Any]:
    if not user:
        return {}
    import pwd

    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def wait_for_end(child: subprocess.Popen[bytes], woken: int) -> None:
    """Returns when the child has ended, the parent has gone, or the guard was told to stop."""
    while child.poll() is None:
        ready, _, _ = select.select([sys.stdin.fileno(), woken], [], [])
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1024):
            return
        if woken in ready and b"stop" in os.read(woken, 1024):
            return
        reap(child.pid)


def reap(own_child: int) -> None:
    """Takes the exit status of adopted processes that ended by themselves."""
    for orphan in adopted():
        if orphan != own_child:
            os.waitpid(orphan, os.WNOHANG)


def stop(child: subprocess.Popen[bytes], ending: signal.Signals, grace: float) -> None:
    if child.poll() is None:
        child.send_signal(ending)
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    end_group(child.pid)
    end_adopted()


def end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def end_adopted() -> None:
    """Ends what the child left behind and Linux handed to the guard (bounded: 2 s)."""
    deadline = time.monotonic() + 2
    while (orphans := adopted()) and time.monotonic() < deadline:
        for orphan in orphans:
            try:
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def adopted() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(number) for number in listing.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
