"""Every process restarted under load: one after the other as systemd does it, and beside each other as Heroku does."""

from __future__ import annotations

import argparse
import socket
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import psycopg

from drill.asking import Asking
from drill.program import PROMISED_END, Program
from storm import ground
from storm.evidence import Evidence, read_tables
from storm.judge import judge
from storm.site import Site

PAGES = ("", "invoices", "payments", "customers", "deliveries", "reconciliation")
QUIET_WITHIN = 180.0


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    """Prints what was seen; what is wrong, a sentence each."""
    with ExitStack() as opened:
        site = Site(folder)
        opened.callback(site.stop)
        environment = one_role(site, options.connections)
        site.wait_for(site.autotask.port)
        totals = site.autotask.add_invoices(int(options.seconds * options.rate))
        app = ground.the_portal(environment)
        [key] = ground.prepare(app, 1)
        cookie = ground.signed_in(app)
        close_own_connections(app)
        held = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        programs = portal(environment, folder, held)
        for program in programs:
            opened.callback(program.kill)
            program.begin_and_wait()
        pages = tuple(f"/p/{ground.SLUG}/{page}" for page in PAGES)
        asking = Asking(held.getsockname()[1], key, dict(totals), options.rate, pages, cookie)
        asking.start()
        programs += restart_all(programs, options.seconds / 4, portal(environment, folder, held)[-1])
        opened.callback(programs[-1].kill)
        asking.stop()
        print(f"restart: {asking.said()}; ends after {ends(programs)}", flush=True)
        return wrong(site, app, asking, programs, totals)


def one_role(site: Site, connections: int) -> dict[str, str]:
    """The servers, with the one role that a plain host gives, which may open so many connections."""
    site.start_servers()
    with psycopg.connect(site.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER ROLE portal CONNECTION LIMIT {connections}")
    owner = site.environment["DATABASE_OWNER_URL"]
    return site.environment | {"DATABASE_URL": owner, "DATABASE_OWNER_URL": ""}


def portal(environment: dict[str, str], folder: Path, held: socket.socket) -> list[Program]:
    """Worker, scheduler and web of the Procfile, which is the order of a restart."""
    return [
        Program(["jobs.work"], environment, folder / "worker.log"),
        Program(["jobs.tick"], environment, folder / "scheduler.log"),
        Program(["jobs.serve"], environment, folder / "web.log", held),
    ]


def restart_all(programs: list[Program], pause: float, other: Program) -> list[Program]:
    """Begins `other` at last, beside the web process that ends then."""
    time.sleep(pause)
    for program in programs:
        program.end()
        program.begin_and_wait()
    time.sleep(pause)
    *behind, web = programs
    for program in behind:
        program.end()
        program.begin()
    time.sleep(pause)
    other.begin_and_wait()
    web.end()
    time.sleep(pause)
    return [other]


def ends(programs: list[Program]) -> str:
    return ", ".join(f"{seconds:.1f} s" for program in programs for seconds in program.ended_within)


def close_own_connections(app: object) -> None:
    from portal.extensions import db

    with app.app_context():  # type: ignore[attr-defined]
        db.session.remove()
        db.engine.dispose()


def wrong(site: Site, app: object, asking: Asking, programs: list[Program], totals: dict) -> list[str]:
    found = [f"{asking.failed} requests failed."] if asking.failed else []
    slow = [s for program in programs for s in program.ended_within if s > PROMISED_END]
    found += [f"A process took {seconds:.0f} s to end." for seconds in slow]
    evidence = Evidence(totals, asking.requests)
    evidence.quiet = comes_to_rest(site)
    evidence.most_at_once = site.autotask.get("stats")["max_parallel"]
    read_tables(evidence, site.superuser_url)
    evidence.audit_break = ground.audit_break(app)  # type: ignore[arg-type]
    shown = site.autotask.paid_dates([request.invoice for request in asking.requests])
    evidence.shown = {one: date.fromisoformat(day) if day else None for one, day in shown.items()}
    evidence.totals = {one: totals[one] for one in shown}
    return found + judge(evidence)


def comes_to_rest(site: Site) -> bool:
    """Whether Autotask was told of everything."""
    deadline = time.monotonic() + QUIET_WITHIN
    with psycopg.connect(site.superuser_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            if connection.execute("SELECT count(*) FROM delivery WHERE state <> 'confirmed'").fetchone() == (
                0,
            ):
                return True
            time.sleep(0.25)
    return False
