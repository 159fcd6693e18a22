"""bin/soak: payments, pages, syncs and logins of a whole portal for as long as asked; what grows without end is told.

Each `--every` seconds it looks at the memory, files and connections of every process, at Redis and at every table. The
first third is for warming up; after it no process may grow by more than a tenth and 8 MB, nor open more files, nor the
database or Redis hold more connections or keys. Tables may grow by what the work itself leaves: so many rows a payment,
a sync and a login, printed with their names. Exits 1 with a sentence for each thing that grew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from drill.asking import Asking
from drill.restarts import PAGES, close_own_connections, one_role, portal
from local.environment import PROJECT, say
from local.servers import ServerFailed
from soak.growth import Growth
from storm import ground
from storm.site import Site

SYNC_EVERY = 20.0  # seconds


def main(arguments: list[str]) -> int:
    options = read_arguments(arguments)
    os.chdir(PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portal-soak-"))
    folder.chmod(0o755)  # root runs PostgreSQL as nobody, who must get in
    grown = [f"The logs are in {folder}."]
    try:
        grown = run(folder, options)
    except ServerFailed as error:
        sys.exit(str(error))
    finally:
        if not grown:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(grown) or "Nothing grew that the work did not ask for.", flush=True)
    return int(bool(grown))


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    seconds = options.minutes * 60
    with ExitStack() as opened:
        site = Site(folder)
        opened.callback(site.stop)
        environment = one_role(site, 20)
        site.wait_for(site.autotask.port)
        say("Making the invoices that will be paid")
        totals = site.autotask.add_invoices(int(seconds * options.rate * 0.6) + 20)
        app = ground.the_portal(environment)
        [key] = ground.prepare(app, 1)
        cookie = ground.signed_in(app)
        held = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        programs = portal(environment, folder, held)
        for program in programs:
            opened.callback(program.kill)
            program.begin_and_wait()
        pages = tuple(f"/p/{ground.SLUG}/{page}" for page in PAGES)
        asking = Asking(held.getsockname()[1], key, totals, options.rate, pages, cookie)
        over = threading.Event()
        others = threading.Thread(target=sync_and_sign_in, args=(app, over), daemon=True)
        growth = Growth(site, dict(zip(("worker", "scheduler", "web"), programs, strict=True)))
        say(f"At work for {options.minutes:g} minutes")
        for thread in (asking, others):
            thread.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            growth.look()
            time.sleep(options.every)
        over.set()
        asking.stop()
        others.join()
        print(f"{asking.said()}\n{growth.said()}", flush=True)
        failed = [f"{asking.failed} requests failed."] if asking.failed else []
        return failed + growth.without_end()


def sync_and_sign_in(app: object, over: threading.Event) -> None:
    """A sync each twenty seconds, a new login each time, from this process as an operator's."""
    while not over.wait(SYNC_EVERY):
        ground.run(app, "sync", "run", ground.SLUG, "--kind", "new", "--force")  # type: ignore[arg-type]
        ground.sign_in(app)  # type: ignore[arg-type]
        close_own_connections(app)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (60)")
    parser.add_argument("--rate", type=float, default=3, help="requests a second, half of them payments (3)")
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks (10)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
