"""bin/demo: the whole portal on this machine, with a sandbox Autotask and two partners to play with."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from local import demo_data, postgres, shared, state
from local.demo_run import Addresses, run_check, run_until_stopped
from local.environment import PROJECT, say
from local.keeper import try_lock
from local.servers import ServerFailed, free_port

WEB_PORT, SANDBOX_PORT, PAGE_PORT = 8000, 8010, 8020
ELSEWHERE = (
    "DATABASE_URL and REDIS_URL name other servers, AUTOTASK_DISCOVERY_URL and AUTOTASK_TRUSTED_HOSTS another "
    "Autotask; --check then logs in there with CHECK_USERNAME and CHECK_SECRET."
)


def main(arguments: list[str]) -> int:
    options = read_arguments(arguments)
    folder = state.CHECK if options.check else state.DEMO
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with only_one(folder, options.check):
            if options.fresh or options.check:
                begin_anew(folder)
            code = start(folder, check=options.check)
            if options.check:
                postgres.forget(folder / "postgres")
            return code
    except ServerFailed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        return 130


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/demo", description=__doc__, epilog=ELSEWHERE)
    parser.add_argument("--fresh", action="store_true", help="throw the demo's data away and begin anew")
    parser.add_argument(
        "--check", action="store_true", help="do the main job through the pages, print what was seen"
    )
    return parser.parse_args(arguments)


@contextmanager
def only_one(folder: Path, check: bool) -> Iterator[None]:
    with (folder / "demo.lock").open("a") as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            if not check:
                web = state.read(folder / "addresses.json").get("web", "")
                raise ServerFailed(f"The demo is running already: {web}\nStop it there with Ctrl-C first.")
            say("Another check is running; waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def begin_anew(folder: Path) -> None:
    """Empties the demo's own data. A database given by DATABASE_URL is never touched."""
    with (folder / "users.lock").open("a") as users:
        if not try_lock(users, fcntl.LOCK_EX):
            raise ServerFailed(
                "A bin/portal command still uses the demo's data. Try again when it has ended."
            )
        postgres.forget(folder / "postgres")
        for path in folder.iterdir():
            if path.suffix != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def start(folder: Path, check: bool) -> int:
    started = time.monotonic()
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    joined: AbstractContextManager[dict[str, str]] = nullcontext({})
    if len(given) < 2:
        say("Starting PostgreSQL and Redis")
        joined = shared.servers(folder)
    with joined as servers:
        addresses = choose_addresses(folder)
        environment = state.app_environment(servers | given, addresses.for_portal())
        environment.setdefault("DEMO_MAILS", "1")
        environment.setdefault("DEMO_LOGINS", demo_data.login_lines(addresses.page))
        if "DATABASE_URL" in given:
            say("Bringing the database of DATABASE_URL up to date")
            shared.upgrade(environment)
        else:
            shared.migrate(folder, environment)
        fill(folder, environment, always="DATABASE_URL" in given)
        return (run_check if check else run_until_stopped)(folder, addresses, environment, started)


def choose_addresses(folder: Path) -> Addresses:
    """The usual ports if they are free. The sandbox keeps its port: a connected partner remembers it."""
    last = state.read(folder / "addresses.json")
    sandbox = "" if os.environ.get("AUTOTASK_DISCOVERY_URL") else f"http://127.0.0.1:{sandbox_port(last)}"
    page = f"http://127.0.0.1:{free_port(PAGE_PORT)}"
    # By name: a browser gives no passkeys to a number.
    addresses = Addresses(f"http://localhost:{free_port(WEB_PORT)}", sandbox, page)
    state.write(folder / "addresses.json", vars(addresses))
    if sandbox:
        state.write(folder / "autotask.json", addresses.for_portal())
    return addresses


def sandbox_port(last: dict[str, str]) -> int:
    before = last.get("sandbox", "").rpartition(":")[2]
    return free_port(int(before) if before else SANDBOX_PORT)


def fill(folder: Path, environment: dict[str, str], *, always: bool) -> None:
    done = folder / "filled"
    if done.exists() and not always:
        return
    say("Making the demo's partner and people")
    command = [sys.executable, "-m", "local.demo_data"]
    made = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True)
    if made.returncode:
        raise ServerFailed(f"The demo's data could not be made:\n{made.stdout}{made.stderr}")
    done.touch()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
