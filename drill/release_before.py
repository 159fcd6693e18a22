"""From the release before to this one and back, under load: its processes run on the newest schema, beside ours."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import psycopg

from drill.asking import Asking
from drill.program import PROMISED_END, Program
from drill.restarts import one_role
from local.environment import PROJECT
from storm.site import Site

COMMIT = json.loads((PROJECT / "migrations" / "released.json").read_text())["commit"]
# Packages of the last release that this one no longer installs.
STAND_INS = PROJECT / "tests" / "releases" / "stand_ins"
DRIVE = PROJECT / "tests" / "releases" / "drive.py"
KEY = """
from portal import create_app
from portal.access import api_keys
from portal.access.actor import Actor, Source
from portal.access.tenancy import tenant_scope
from portal.extensions import db
app = create_app()
with app.app_context(), tenant_scope(1):
    _, secret = api_keys.create(Actor(Source.COMMAND), "Checkout", list(api_keys.Scope))
    db.session.commit()
print(secret)
"""
INVOICES = """
INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, currency, total_raw, amount_due,
    issued_on, due_on)
SELECT 1, 1, 1000 + n, 1, 'DRILL-' || n, 'USD', 100 + n, 100 + n, '2026-11-01', '2026-12-01'
FROM generate_series(1, %s) AS n RETURNING autotask_id, amount_due"""
TWICE = "SELECT count(*), count(DISTINCT reference) FROM payment WHERE reference LIKE 'drill-%%'"
# The release before held as many connections as it had processes times five.
ROOM = 70


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    with ExitStack() as opened:
        site = Site(folder)
        opened.callback(site.stop)
        environment = one_role(site, ROOM)
        old = Release(unpacked(folder), environment)
        old.flask("db", "upgrade")
        old.python(str(DRIVE), "fill")
        totals = make_invoices(site.superuser_url, int(options.seconds * options.rate * 1.5))
        key = old.python("-c", KEY).splitlines()[-1]
        held = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        before = Program(["gunicorn", "wsgi:app"], old.environment, folder / "before.log", held, old.code)
        ours = Program(["jobs.serve"], environment, folder / "ours.log", held)
        for program in (before, ours):
            opened.callback(program.kill)
        asking = Asking(held.getsockname()[1], key, totals, options.rate)
        before.begin_and_wait()
        asking.start()
        roll(before, ours, Release(PROJECT, environment), options.seconds / 4)
        asking.stop()
        print(f"release: {asking.said()}; ends after {before.ended_within + ours.ended_within}", flush=True)
        return wrong(site.superuser_url, asking, before.ended_within + ours.ended_within)


class Release:
    """Commands of one release's code on the drill's database."""

    def __init__(self, code: Path, environment: dict[str, str]) -> None:
        self.code = code
        path = os.pathsep.join([str(code), *([str(STAND_INS)] if code != PROJECT else [])])
        self.environment = environment | {"PYTHONPATH": path, "WEB_CONCURRENCY": "2"}

    def flask(self, *words: str) -> str:
        return self.python("-m", "flask", "--app", "wsgi", *words)

    def python(self, *words: str) -> str:
        """What it printed and said. Raises RuntimeError with that when it failed."""
        done = subprocess.run(
            [sys.executable, *words],
            env=self.environment,
            cwd=self.code,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{words} failed: {done.stdout}")
        return done.stdout


def unpacked(folder: Path) -> Path:
    """The code of the release before."""
    archive, code = folder / "before.tar", folder / "before"
    subprocess.run(["git", "archive", "-o", archive, COMMIT], cwd=PROJECT, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(code, filter="data")
    return code


def make_invoices(superuser_url: str, count: int) -> dict[int, Decimal]:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        return dict(connection.execute(INVOICES, [count]).fetchall())


def roll(before: Program, ours: Program, release: Release, pause: float) -> None:
    """Migrate, then begin the new and end the old; and back again, on the new schema."""
    time.sleep(pause)
    began, said = time.monotonic(), release.flask("db", "upgrade")
    print(
        f"upgrade: {time.monotonic() - began:.1f} s, tried again {said.count('tried again')} times",
        flush=True,
    )
    time.sleep(pause)
    ours.begin_and_wait()
    before.end()
    time.sleep(pause)
    before.begin_and_wait()
    ours.end()
    time.sleep(pause)


def wrong(superuser_url: str, asking: Asking, ended: list[float]) -> list[str]:
    found = [f"{asking.failed} requests failed."] if asking.failed else []
    found += [f"A process took {seconds:.0f} s to end." for seconds in ended if seconds > PROMISED_END]
    accepted = sum(request.accepted for request in asking.requests)
    with psycopg.connect(superuser_url) as connection:
        held = connection.execute(TWICE).fetchone()
    if held != (accepted, accepted):
        found.append(f"{accepted} payments were accepted, and (payments, different ones) is {held}.")
    return found
