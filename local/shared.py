"""Joins the embedded servers of a folder: starts them if nobody has, leaves them to others who stay."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local import state
from local.environment import PROJECT, say
from local.keeper import try_lock
from local.servers import ServerFailed

START_SECONDS = 60
STOP_SECONDS = 10


@contextmanager
def servers(folder: Path, meanwhile: Callable[[], object] = int) -> Iterator[dict[str, str]]:
    """DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL of the servers in `folder`, which run at least as long as this lasts.

    The last one out waits until they have stopped. Killed in any way, they stop all the same. `meanwhile` is called
    while they start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper is stopping
        own_keeper = ensure_keeper(folder, meanwhile)
        try:
            yield state.read(folder / "servers.json")
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            wait_if_last(folder, users)
            if own_keeper and own_keeper.poll() is None:
                own_keeper.returncode = 0  # it stays for others: nothing to wait for, nothing to warn about


def ensure_keeper(folder: Path, meanwhile: Callable[[], object]) -> subprocess.Popen[bytes] | None:
    """The keeper that had to be started, or None when one was there."""
    with (folder / "start.lock").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        return None if keeper_lives(folder) else start_keeper(folder, meanwhile)


def keeper_lives(folder: Path) -> bool:
    with (folder / "keeper.lock").open("a") as lock:
        return not try_lock(lock, fcntl.LOCK_SH)


def start_keeper(folder: Path, meanwhile: Callable[[], object]) -> subprocess.Popen[bytes]:
    """The keeper is a session of its own: it must survive the Ctrl-C that ends whoever started it."""
    told, log = folder / "servers.json", folder / "keeper.log"
    told.unlink(missing_ok=True)
    with log.open("w") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "local.keeper", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=PROJECT,
        )
    meanwhile()
    deadline = time.monotonic() + START_SECONDS
    while not told.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise ServerFailed(f"The embedded servers did not start:\n{log.read_text()}")
        time.sleep(0.01)
    return keeper


def wait_if_last(folder: Path, users: IO[str]) -> None:
    """When nobody else is in, the keeper takes the users' lock soon, and it is free when all has stopped."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and keeper_lives(folder):
        if try_lock(users, fcntl.LOCK_EX):
            fcntl.flock(users, fcntl.LOCK_UN)  # nobody else: the keeper takes it within a tenth of a second
        elif try_lock(users, fcntl.LOCK_SH):
            return  # others are in
        time.sleep(0.02)


def migrate(folder: Path, environment: dict[str, str]) -> None:
    """Brings the embedded database to the newest migration, if their files changed since the last time."""
    stamp, wanted = folder / "migrated", migrations_digest()
    with (folder / "start.lock").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        say("Bringing the database up to date")
        upgrade(environment)
        stamp.write_text(wanted)


def upgrade(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise ServerFailed(f"The database could not be brought up to date:\n{done.stdout}{done.stderr}")


def migrations_digest() -> str:
    digest = hashlib.sha256(b"two roles")  # the upgrade gives the serving role its rights
    for path in sorted((PROJECT / "migrations" / "versions").glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
