"""1,000 payments at once: how many a second Autotask confirms, beside a bare loop in the same run.

`python -m bench.burst [--payments 1000] [--pace 0.1] [--rounds 3]`: all are recorded, then two processes of the portal
deliver what is due, as the worker of a queue and the poller do. The *bare loop* is two processes as well; for each row
of a table of its own it claims, reads, writes and reads back at the same sandbox, and marks the row: no lease, no
attempt, no ledger, nothing that survives a crash.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psycopg

from bench.places import ROOT, Places, places
from bench.read_everything import prepare, read
from sandbox.embed import SECRET, USERNAME
from storm.autotask import Autotask

PROCESSES = 2
DAY = "2026-11-19"
PAY = """
WITH chosen AS (
    SELECT id, customer_id, currency, outstanding FROM invoice
    WHERE tenant_id = 1 AND outstanding > 0 AND amount_due > 0 AND autotask_paid_on IS NULL AND NOT is_voided
        AND id %% 2 = 0
    ORDER BY id LIMIT %(payments)s
), paid AS (
    INSERT INTO payment (tenant_id, customer_id, currency, amount, method, paid_on, reference)
    SELECT 1, customer_id, currency, outstanding, 'check', %(day)s, 'burst ' || id FROM chosen RETURNING id, reference, amount
)
INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount)
SELECT 1, id, substr(reference, 7)::bigint, amount FROM paid RETURNING invoice_id"""
ROWS = """
CREATE TABLE bare AS SELECT autotask_id AS id, 'due' AS state FROM invoice
WHERE tenant_id = 1 AND outstanding > 0 AND amount_due > 0 AND autotask_paid_on IS NULL AND NOT is_voided
    AND id %% 2 = 1
ORDER BY invoice.id LIMIT %(payments)s"""
CLAIM = """
UPDATE bare SET state = 'sending' WHERE id = (
    SELECT id FROM bare WHERE state = 'due' LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"""


@dataclass(frozen=True)
class Burst:
    """What came of one burst. `statements` are the portal's own, for each delivery."""

    who: str
    seconds: float
    done: int
    statements: float
    calls: float
    cpu_ms: float = 0.0

    @property
    def rate(self) -> float:
        return self.done / self.seconds

    def line(self) -> str:
        more = (
            f", {self.statements:.1f} statements and {self.calls:.1f} calls, {self.cpu_ms:.1f} ms of Python each"
            if self.statements
            else ""
        )
        return f"  {self.who:<10}{self.rate:>8.0f}/s  ({self.done} in {self.seconds:.2f} s{more})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--postgres", type=int)
    parser.add_argument("--work", nargs=2, metavar=("WHO", "SANDBOX"), help="one of the processes")
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    found = bursts(options.payments, options.pace, options.rounds, options.postgres)
    ratios = [portal.rate / bare.rate for bare, portal in found]
    print(f"portal / bare loop: {median(ratios):.2f}, load {os.getloadavg()[0]:.1f}")


def bursts(
    payments: int, pace: float = 0.0, rounds: int = 1, version: int | None = None
) -> list[tuple[Burst, Burst]]:
    """(bare loop, portal) of each round, in turns at the same servers."""
    found = []
    for _ in range(rounds):
        with places(0, 0, pace, version) as at:
            Autotask(int(str(urlsplit(at.sandbox_url).port))).add_invoices(2 * payments)
            prepare(at.environment)
            read(at, "everything")
            sides = bare_loop(at, payments), portal(at, payments)
            for side in sides:
                print(side.line(), flush=True)
            found.append(sides)
    return found


def bare_loop(at: Places, payments: int) -> Burst:
    url = at.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('app.tenant_id', '1', false)")
        connection.execute(ROWS, {"payments": payments})
        connection.execute("CREATE INDEX ON bare (state); CREATE UNIQUE INDEX ON bare (id)")
    seconds, said = together("bare", at)
    return Burst("bare loop", seconds, sum(one["done"] for one in said), 0, 3)


def portal(at: Places, payments: int) -> Burst:
    with psycopg.connect(at.environment["DATABASE_URL"]) as connection:
        connection.execute("SELECT set_config('app.tenant_id', '1', false)")
        connection.execute(PAY, {"payments": payments, "day": DAY})
    seconds, said = together("portal", at)
    done = sum(one["done"] for one in said)
    each = [sum(one[name] for one in said) / max(done, 1) for name in ("statements", "calls", "cpu_ms")]
    return Burst("portal", seconds, done, *each)


def together(who: str, at: Places) -> tuple[float, Sequence[dict[str, Any]]]:
    """Starts the processes, lets all go at once: seconds until the last was done, and what each says."""
    command = [sys.executable, "-m", "bench.burst", "--work", who, at.sandbox_url]
    with ExitStack() as opened:
        started = [
            opened.enter_context(
                subprocess.Popen(
                    [*command],
                    cwd=ROOT,
                    env=at.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(PROCESSES)
        ]
        for process in started:
            assert process.stdout is not None
            while process.stdout.readline().strip() != "ready":
                assert process.poll() is None, "it did not start"
        began = time.time()
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
        return max(one["ended"] for one in said) - began, said


def work(who: str, sandbox: str) -> None:
    """One process of a burst: says "ready", begins when told to, and says what it did."""
    if who == "bare":
        _bare(sandbox)
    else:
        _portal()


def _begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _bare(sandbox: str) -> None:
    address = urlsplit(sandbox)
    line = http.client.HTTPConnection(str(address.hostname), address.port)
    headers = {"ApiIntegrationCode": "BENCH", "UserName": USERNAME, "Secret": SECRET}
    headers["Content-Type"] = "application/json"
    path, done = "/ATServicesRest/V1.0/Invoices", 0

    def ask(method: str, at: str, body: object = None) -> dict[str, object]:
        line.request(method, at, None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        said: dict[str, object] = json.loads(answer.read())
        assert answer.status == 200, said
        return said

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        _begin()
        while found := connection.execute(CLAIM).fetchone():
            (id,) = found
            ask("GET", f"{path}/{id}")
            ask("PATCH", path, {"id": id, "paidDate": f"{DAY}T00:00:00Z"})
            shown = ask("GET", f"{path}/{id}")["item"]
            assert isinstance(shown, dict)
            assert str(shown["paidDate"])[:10] == DAY, shown
            connection.execute("UPDATE bare SET state = 'done' WHERE id = %s", (id,))
            done += 1
    print(json.dumps({"done": done, "ended": time.time()}), flush=True)


def _portal() -> None:
    """The wishes follow from the payments here, unclocked, and by the portal's own code."""
    from sqlalchemy import event, text

    from portal import ledger
    from portal.access.tenancy import tenant_scope
    from portal.autotask.calls import Calls
    from portal.extensions import db
    from portal.reconcile import deliver
    from wsgi import app

    counted = {"statements": 0, "calls": 0}

    def count(*_: object) -> None:
        counted["statements"] += 1

    real = Calls._once

    def once(self: Calls, *rest: object) -> object:
        counted["calls"] += 1
        return real(self, *rest)  # type: ignore[arg-type]

    Calls._once = once  # type: ignore[assignment,method-assign]
    with app.app_context(), tenant_scope(1):
        paid = text(
            "SELECT invoice_id FROM allocation a WHERE NOT EXISTS (SELECT FROM delivery d"
            " WHERE d.tenant_id = a.tenant_id AND d.invoice_id = a.invoice_id) ORDER BY invoice_id FOR UPDATE"
        )
        ledger.restate(list(db.session.scalars(paid)))
        db.session.commit()
        event.listen(db.engine, "before_cursor_execute", count)
        _begin()
        done, ended, cpu = 0, time.time(), time.process_time()
        while some := deliver.deliver_due():
            done, ended = done + some, time.time()
    spent = int(1000 * (time.process_time() - cpu))
    print(json.dumps({"done": done, "ended": ended, "cpu_ms": spent, **counted}), flush=True)


if __name__ == "__main__":
    main()
