"""How long from a payment's commit until Autotask's own answer confirms it, by the database's clock.

`python -m bench.real_time [--payments 200]`: a whole portal of its own beside a sandbox that answers at once; payments
are posted through the JSON API one after another, then four at a time. Promise: p50 at most 150 ms, p95 500 ms.
"""

import argparse
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from local.environment import PROJECT
from storm import ground
from storm.checkouts import Line, Request
from storm.site import Site

LONGEST = 30.0
LOOK_EVERY = 0.02
FIRST = 5  # they open connections; a portal that runs has them
TOOK = """
SELECT extract(epoch FROM d.confirmed_at - d.wished_at) * 1000
FROM delivery d JOIN invoice i ON i.tenant_id = d.tenant_id AND i.id = d.invoice_id
WHERE i.autotask_id = ANY(%s) AND d.state = 'confirmed' ORDER BY 1"""
CONFIRMED = """
SELECT count(*) FROM delivery d JOIN invoice i ON i.tenant_id = d.tenant_id AND i.id = d.invoice_id
WHERE i.autotask_id = %s AND d.state = 'confirmed'"""


@dataclass(frozen=True)
class Running:
    """A portal that is ready, and what to pay in it: Autotask ID to total."""

    site: Site
    key: str
    totals: dict[int, Decimal]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=200)
    options = parser.parse_args()
    os.chdir(PROJECT)
    with running(2 * (options.payments + FIRST)) as portal:
        invoices = list(portal.totals)
        print(f"{'':<22}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'most ms':>9}{'calls each':>12}{'load':>7}")
        for name, at_once in (("one after another", 1), ("four at a time", 4)):
            pay(portal, [invoices.pop() for _ in range(FIRST)], 1)
            measure(portal, name, [invoices.pop() for _ in range(options.payments)], at_once)


@contextmanager
def running(invoices: int) -> Iterator[Running]:
    with ExitStack() as opened:
        folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # root runs PostgreSQL as nobody, who must get in
        site = Site(folder)
        opened.callback(site.stop)
        site.start_servers()
        site.wait_for(site.autotask.port)
        totals = site.autotask.add_invoices(invoices)
        [key] = ground.prepare(ground.the_portal(site.environment), 1)
        site.start_portal()
        site.wait_for(site.web_port)
        time.sleep(10)  # workers load as long
        yield Running(site, key, totals)


def measure(portal: Running, name: str, invoices: list[int], at_once: int) -> None:
    """Pays these invoices and prints one line."""
    before = portal.site.autotask.calls()
    pay(portal, invoices, at_once)
    with psycopg.connect(portal.site.superuser_url) as connection:
        took = [float(row[0]) for row in connection.execute(TOOK, (invoices,))]
    each = (portal.site.autotask.calls() - before) / len(invoices)
    at = [took[min(len(took) - 1, int(len(took) * share))] for share in (0.5, 0.95, 0.99)] + [took[-1]]
    figures = "".join(f"{one:>9.0f}" for one in at)
    print(f"{name:<22}{figures}{each:>12.2f}{os.getloadavg()[0]:>7.1f}", flush=True)


def pay(portal: Running, invoices: list[int], at_once: int) -> None:
    """Each client posts its next payment when its last one is confirmed."""
    shares = [invoices[number::at_once] for number in range(at_once)]
    clients = [threading.Thread(target=pay_in_turn, args=(portal, share)) for share in shares]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def pay_in_turn(portal: Running, invoices: list[int]) -> None:
    today = datetime.now(UTC).date()
    with (
        Line(portal.site.web_port, portal.key) as line,
        psycopg.connect(portal.site.superuser_url, autocommit=True) as connection,
    ):
        for invoice in invoices:
            request = Request(f"bench-{invoice}", invoice, portal.totals[invoice], today)
            status, said = line.ask(
                "POST", "/api/v1/payments", request.body(), {"Idempotency-Key": request.key}
            )
            assert status == 201, said
            deadline = time.monotonic() + LONGEST
            while connection.execute(CONFIRMED, (invoice,)).fetchone() == (0,):
                assert time.monotonic() < deadline, f"invoice {invoice} is not confirmed after {LONGEST} s"
                time.sleep(LOOK_EVERY)
            time.sleep(random.uniform(0, 0.1))  # not in step with anything


if __name__ == "__main__":
    main()
