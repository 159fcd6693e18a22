"""Real processes that die at a named point: forked, and killed by SIGKILL (or frozen by SIGSTOP) where it says.

The points are put in by replacing functions in the child only; the portal itself knows nothing of them.
"""

import os
import signal
import time
import warnings
from collections.abc import Callable
from typing import Any

from flask import Flask

from portal.access.tenancy import tenant_scope
from portal.autotask.client import Client
from portal.extensions import db
from portal.payments import recording
from portal.reconcile.store import SqlStore

LONGEST = 30


alive: set[int] = set()


class Child:
    """A forked process at work for one partner."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        alive.add(pid)

    def wait(self) -> int:
        """The signal that ended it, as a negative number, or its exit code."""
        _, status = os.waitpid(self.pid, 0)
        alive.discard(self.pid)
        return os.waitstatus_to_exitcode(status)

    def wait_until_frozen(self) -> None:
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status

    def go_on(self) -> int:
        os.kill(self.pid, signal.SIGCONT)
        return self.wait()


def end_all() -> None:
    """Kills what a failed test left behind."""
    for pid in list(alive):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    alive.clear()


def start(app: Flask, tenant_id: int, work: Callable[[], Any], *points: tuple[str, int]) -> Child:
    """Forks; the child does `work` in the partner's scope and gets a signal at each point it comes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the sandbox's threads are in the parent only
        pid = os.fork()
    if pid:
        return Child(pid)
    code = 99
    try:
        for one in (signal.SIGTERM, signal.SIGALRM):  # whatever an earlier test in this process made of them
            signal.signal(one, signal.SIG_DFL)
        signal.alarm(LONGEST)
        with app.app_context():
            db.engine.dispose(close=False)
            with tenant_scope(tenant_id):
                for name, number in points:
                    POINTS[name](_once(number))
                work()
                code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _once(number: int) -> Callable[[], None]:
    """Strikes the process itself, the first time only."""
    struck: list[int] = []

    def strike() -> None:
        if not struck:
            struck.append(number)
            os.kill(os.getpid(), number)

    return strike


def die(app: Flask, tenant_id: int, work: Callable[[], Any], point: str) -> None:
    """Runs `work` in a process that is killed at `point`; it must come that far."""
    ended = start(app, tenant_id, work, (point, signal.SIGKILL)).wait()
    assert ended == -signal.SIGKILL, f"the process did not come to {point}: {ended}"


def _before(owner: Any, name: str) -> Callable[[Callable[[], None]], None]:
    def put_in(strike: Callable[[], None]) -> None:
        real = getattr(owner, name)

        def struck(*args: Any, **named: Any) -> Any:
            strike()
            return real(*args, **named)

        setattr(owner, name, struck)

    return put_in


def _after(owner: Any, name: str) -> Callable[[Callable[[], None]], None]:
    def put_in(strike: Callable[[], None]) -> None:
        real = getattr(owner, name)

        def struck(*args: Any, **named: Any) -> Any:
            result = real(*args, **named)
            strike()
            return result

        setattr(owner, name, struck)

    return put_in


def _second(put_in: Callable[[Callable[[], None]], None]) -> Callable[[Callable[[], None]], None]:
    """The point is come to for the second time."""

    def put_in_counting(strike: Callable[[], None]) -> None:
        seen = []

        def count() -> None:
            seen.append(1)
            if len(seen) == 2:
                strike()

        put_in(count)

    return put_in_counting


def _while_sending(strike: Callable[[], None]) -> None:
    """The write is on its way when the process dies: it leaves in a process of its own."""
    real = Client.patch

    def struck(self: Client, *args: Any, **named: Any) -> Any:
        if os.fork() == 0:
            real(self, *args, **named)
            os._exit(0)
        time.sleep(0.05)
        strike()

    Client.patch = struck  # type: ignore[method-assign]


POINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    "W0 before recording": _before(recording, "record"),
    "W1 before the commit": _before(db.session, "commit"),
    "W2 after the commit": _after(db.session, "commit"),
    "W7 claimed": _after(SqlStore, "claim_some"),
    "W8 reading": _before(Client, "get"),
    "W8 read": _after(Client, "get"),
    "W9 written down": _after(SqlStore, "begin_all"),
    "W10 before it leaves": _before(Client, "patch"),
    "W10 on its way": _while_sending,
    "W10 arrived": _after(Client, "patch"),
    "W12 reading back": _second(_before(Client, "get")),
    "W12 read back": _second(_after(Client, "get")),
    "W13 settled": _after(SqlStore, "end"),
}
DELIVERY_POINTS = [
    name for name in POINTS if name[:2] not in ("W0", "W1", "W2") or name[:3] in ("W10", "W12", "W13")
]
