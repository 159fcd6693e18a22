"""Two releases side by side on a small plan, as while a deploy rolls, and what their processes hold.

`python -m bench.two_releases [--seconds 60] [--rate 15] [--connections 20] [--postgres 15]`: the Procfile's web,
worker and scheduler twice, on a role that may open so many connections and a Redis that takes so many clients. Each
web is asked so many times a second: payments through the JSON API, and pages of a person who is signed in. Prints per
phase: answers and errors, the most connections and Redis clients at a time, and the memory of each dyno (PSS: what is
shared counts once). Promises: no error; web at most 250 MB, worker 250 MB idle and 350 MB at work.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from redis import Redis

from local.environment import PROJECT
from local.servers import free_port
from storm import ground, processes
from storm.checkouts import Request
from storm.site import Site

PAGES = ("", "invoices", "payments", "customers", "deliveries", "reconciliation")
OLD, NEW = "old", "new"
LIMITS = {("web", "work"): 250, ("worker", "idle"): 250, ("worker", "work"): 350}
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'portal_serving'"


@dataclass
class Load(threading.Thread):
    """One client of a web server: a new payment every second time, between them reading."""

    port: int
    key: str
    cookie: str
    totals: dict[int, object]
    pause: float
    until: float
    answers: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        next_at = time.monotonic() + random.uniform(0, self.pause)
        while next_at < self.until:
            time.sleep(max(0.0, next_at - time.monotonic()))
            began = time.monotonic()
            try:
                self.ask(line)
                answer = line.getresponse()
                answer.read()
                self.answers[answer.status] += 1
            except (OSError, http.client.HTTPException):
                line.close()
                self.answers[0] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            next_at += self.pause
        line.close()

    def ask(self, line: http.client.HTTPConnection) -> None:
        if random.random() < 0.5 and self.totals:
            invoice, total = self.totals.popitem()
            body = Request(f"two-{invoice}", invoice, total, datetime.now(UTC).date())
            headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": body.key}
            headers["Content-Type"] = "application/json"
            line.request("POST", "/api/v1/payments", json.dumps(body.body()), headers)
        else:
            line.request("GET", f"/p/{ground.SLUG}/{random.choice(PAGES)}", headers={"Cookie": self.cookie})


class Watch(threading.Thread):
    """The most connections and clients at a time, and the last memory of each dyno."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.site, self.stopping = site, threading.Event()
        self.connections = self.clients = 0
        self.memory: dict[str, int] = {}

    def run(self) -> None:
        with (
            psycopg.connect(self.site.superuser_url, autocommit=True) as database,
            Redis.from_url(self.site.environment["REDIS_URL"]) as redis,
        ):
            while not self.stopping.wait(0.1):
                self.connections = max(self.connections, database.execute(COUNT).fetchone()[0])
                self.clients = max(self.clients, redis.info("clients")["connected_clients"] - 1)
                for name, size in sizes(self.site).items():
                    self.memory[name] = max(self.memory.get(name, 0), size)


def sizes(site: Site) -> dict[str, int]:
    """MB of each dyno: its processes' proportional shares of memory."""
    found = {}
    for name, part in site.parts.items():
        if name.split()[0] in ("web", "worker", "scheduler"):
            pids = [part.guarded.process.pid, *(one.pid for one in processes.below(part.guarded.process.pid))]
            # The first is the guard that only this script adds.
            found[name] = round(sum(map(processes.memory, pids[1:])))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=15)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--postgres", type=int)
    options = parser.parse_args()
    os.chdir(PROJECT)
    with ExitStack() as opened:
        folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        site = Site(folder)
        opened.callback(site.stop)
        return measure(site, options)


def measure(site: Site, options: argparse.Namespace) -> int:
    site.start_servers(version=options.postgres)
    site.wait_for(site.autotask.port)
    totals = site.autotask.add_invoices(int(options.seconds * options.rate * 2) + 10)
    app = ground.the_portal(site.environment)
    [key] = ground.prepare(app, 1)
    ways_in = (key, ground.signed_in(app))
    with psycopg.connect(site.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE portal_serving CONNECTION LIMIT {options.connections}")
    drop_own_connections()
    with Redis.from_url(site.environment["REDIS_URL"]) as redis:
        redis.config_set("maxclients", options.connections + 1)  # one is this script's
    site.start_portal()
    site.wait_for(site.web_port)
    time.sleep(10)
    failed = tell(site, "idle", [], 5)
    ports = {OLD: site.web_port, NEW: free_port()}
    failed |= tell(site, "one release", clients(ports, [OLD], ways_in, totals, options), options.seconds / 2)
    site.start_portal(" new", ports[NEW])
    site.wait_for(ports[NEW])
    time.sleep(6)
    failed |= tell(
        site, "two releases", clients(ports, [OLD, NEW], ways_in, totals, options), options.seconds
    )
    return int(failed)


def clients(
    ports: dict[str, int],
    names: list[str],
    ways_in: tuple[str, str],
    totals: dict[int, object],
    options: argparse.Namespace,
) -> list[Load]:
    """Eight for each web server, together at the rate asked for."""
    until = time.monotonic() + options.seconds / (3 - len(names))
    pause = 8 / options.rate
    return [Load(ports[name], *ways_in, totals, pause, until) for name in names for number in range(8)]


def tell(site: Site, phase: str, loads: list[Load], seconds: float) -> bool:
    """Runs one phase and prints it. True when a promise is broken."""
    watch = Watch(site)
    for thread in (watch, *loads):
        thread.start()
    for load in loads:
        load.join()
    time.sleep(0 if loads else seconds)
    watch.stopping.set()
    watch.join()
    answers = sum((load.answers for load in loads), Counter())
    errors = sum(count for status, count in answers.items() if status not in (200, 201))
    slowest = max((load.slowest for load in loads), default=0.0)
    memory = ", ".join(f"{name} {size} MB" for name, size in sorted(watch.memory.items()))
    print(f"{phase:<13} answers {dict(answers)}, errors {errors}, slowest {slowest:.2f} s", flush=True)
    print(f"{'':<13} connections {watch.connections}, Redis clients {watch.clients}; {memory}", flush=True)
    kind = "work" if loads else "idle"
    fat = [n for n, size in watch.memory.items() if size > LIMITS.get((n.split()[0], kind), 10**6)]
    if fat:
        print(f"{'':<13} more than promised: {', '.join(fat)}", flush=True)
    return bool(errors or fat)


def drop_own_connections() -> None:
    """This process prepared the partner; its connections would count."""
    from portal.extensions import db
    from wsgi import app

    with app.app_context():
        db.engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
