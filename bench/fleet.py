"""Many partners on one worker dyno: how soon an hour's work is done, and whom a partner's first read delays.

    python -m bench.fleet [--partners 1000] [--large 20000] [--beside hanging] [--postgres 15]

*Drain*: the hourly sync and the PDF run of every partner are due at once. *Beside a first read*: the hourly syncs of a
fifth of them fall due over a minute, with payments in between, once alone and once while one partner reads all its
invoices for the first time, or (`--beside hanging`, `flooding`, `garbage`) one partner's Autotask is not well. Syncs are measured from when they were due, payments from their record to Autotask's answer.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from flask import Flask

from bench import fleet_partners, odd_autotask
from bench.places import ROOT, places, sandbox_at

SPREAD = 60.0  # seconds over which syncs fall due beside a first read
LONGEST = 1800.0
DUE = """UPDATE sync_schedule SET next_due_at = now() + n * make_interval(secs => %(apart)s)
    FROM (SELECT id AS one, row_number() OVER (ORDER BY tenant_id) - 1 AS n FROM sync_schedule
        WHERE kind = ANY(%(kinds)s) AND tenant_id <= %(last)s) AS due WHERE id = one"""
WAITED = """SELECT extract(epoch FROM finished_at - due_at)::float FROM sync_run
    WHERE trigger = 'schedule' AND state = 'completed' AND due_at >= %s"""
TOLD = """SELECT extract(epoch FROM confirmed_at - wished_at)::float FROM delivery
    WHERE state = 'confirmed' AND wished_at >= %s"""
READING = "SELECT state, progress_done FROM sync_run WHERE tenant_id = %s AND kind = 'all'"
LEFT = """SELECT (SELECT count(*) FROM sync_run WHERE state IN ('waiting', 'running') AND trigger = 'schedule')
    + (SELECT count(*) FROM sync_schedule WHERE next_due_at <= now() + interval '61 seconds')
    + (SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending'))"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--partners", type=int, default=1000)
    parser.add_argument(
        "--large", type=int, default=20_000, help="invoices of the partner that reads everything"
    )
    parser.add_argument(
        "--beside",
        choices=["a first read", *odd_autotask.KINDS],
        default="a first read",
        help="what one partner does",
    )
    parser.add_argument("--no-drain", action="store_true", help="leave the first of the two out")
    parser.add_argument("--postgres", type=int, default=0, help="version; 0 is the embedded one")
    options = parser.parse_args()
    with (
        places(20, 400, 0.0, options.postgres or None) as at,
        others(options) as other,
    ):
        os.environ.update(at.environment)
        subprocess.run(
            [sys.executable, "-m", "flask", "db", "upgrade"], cwd=ROOT, check=True, capture_output=True
        )
        from portal import create_app

        app = create_app()
        with psycopg.connect(at.admin_url, autocommit=True) as watch:
            fleet = fleet_partners.make(app, watch, options.partners, at.sandbox_url, other)
            with workers(at.environment):
                measure(app, watch, fleet, options)


def others(options: argparse.Namespace) -> AbstractContextManager[str]:
    """The Autotask of the one partner."""
    if options.beside in odd_autotask.KINDS:
        return odd_autotask.serving(options.beside)
    return sandbox_at(max(options.large // 50, 1), options.large, 0.1)


def measure(
    app: Flask, watch: psycopg.Connection[Any], fleet: fleet_partners.Fleet, options: argparse.Namespace
) -> None:
    print(f"{len(fleet.small):,} partners, load of the machine {os.getloadavg()[0]:.1f}", flush=True)
    if not options.no_drain:
        drain(watch, fleet)
    for name in ("alone", f"beside {options.beside}"):
        beside(app, watch, fleet, name)


@contextmanager
def workers(environment: dict[str, str]) -> Iterator[None]:
    """The processes of one worker dyno and the scheduler."""
    started = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", *words], cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)}
        )
        for words in (["jobs.work", "--grace", "3"], ["jobs.tick"])
    ]
    try:
        time.sleep(10)  # they load for so long
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def drain(watch: psycopg.Connection[Any], fleet: fleet_partners.Fleet) -> None:
    begun, since = time.monotonic(), now(watch)
    watch.execute(DUE, {"apart": 0.0, "kinds": ["new", "pdfs"], "last": fleet.small[-1]})
    wait(watch)
    waits = seconds(watch, WAITED, since)
    print(f"drain: {len(waits):,} runs in {time.monotonic() - begun:.0f} s, {spread(waits)}", flush=True)


def beside(app: Flask, watch: psycopg.Connection[Any], fleet: fleet_partners.Fleet, name: str) -> None:
    if name != "alone":
        fleet_partners.first_read(app, fleet)
    since, number = now(watch), max(len(fleet.small) // 5, 1)
    watch.execute(DUE, {"apart": SPREAD / number, "kinds": ["new"], "last": fleet.fifth})
    fleet_partners.pay(app, fleet, SPREAD)
    reading = watch.execute(READING, [fleet.large]).fetchone()
    wait(watch)
    told = f", {reading[0]} after a minute, {reading[1]:,} records" if reading else ""
    print(f"{name}{told}, load {os.getloadavg()[0]:.1f}:", flush=True)
    for what, statement in (("syncs", WAITED), ("payments", TOLD)):
        found = seconds(watch, statement, since)
        print(f"  {what:<9} {len(found):>6,}, {spread(found)}", flush=True)


def wait(watch: psycopg.Connection[Any]) -> None:
    """Until nothing of the small partners is left to do."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        row = watch.execute(LEFT).fetchone()
        if row is not None and not row[0]:
            return
        time.sleep(1)
    raise RuntimeError("The work was not done in time.")


def now(watch: psycopg.Connection[Any]) -> Any:
    row = watch.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0] - timedelta(seconds=1)


def seconds(watch: psycopg.Connection[Any], statement: str, since: Any) -> list[float]:
    return [row[0] for row in watch.execute(statement, [since])]  # type: ignore[arg-type]


def spread(times: Sequence[float]) -> str:
    ordered = sorted(times) or [0.0]
    return f"p50 {statistics.median(ordered):.2f} s, p95 {ordered[int(len(ordered) * 0.95)]:.2f} s, most {ordered[-1]:.2f} s"


if __name__ == "__main__":
    main()
