"""Every page of a partner with many invoices, beside a bare page of the same bytes in the same run.

    python -m bench.pages [--invoices 100000] [--postgres 15] [--explain]

p50 and p95 of a signed-in browser's requests, in the process (no network), with the number of statements and the
slowest of them. The bare page is a view of the same app that answers with the same HTML: session, compression and
all. --explain prints the plan of every statement that took more than 20 ms.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from bench import books, export
from bench.places import ROOT, environment
from local import postgres, redis

SLUG, SLOW = "bench", 20.0
LISTS = ("", "invoices", "invoices?show=all", "invoices?show=paid", "invoices?show=overdue", "invoices?q=INV-150001",
         "invoices?q=Customer+77", "invoices?q=nothing+of+the+kind", "invoices?show=all&agreement=agrees",
         "customers", "customers?sort=outstanding", "payments", "payments?q=check+77", "payments?q=nowhere",
         "reconciliation", "deliveries", "deliveries?show=all", "exceptions", "integrations", "activity", "settings",
         "search?q=INV-150001", "search?q=nowhere", "invoices/missing")  # fmt: skip
ONE = {
    "invoice": "invoices/{}",
    "customer": "customers/{}",
    "payment": "payments/{}",
    "delivery": "deliveries/{}",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--postgres", type=int, default=0, help="version; 0 is the embedded one")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="addresses that contain this")
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    with portal(options.invoices, options.postgres or None) as (app, browser, owner):
        print(f"{options.invoices:,} invoices, load of the machine {os.getloadavg()[0]:.1f}")
        print(
            f"{'page':<38}{'p50':>7}{'p95':>7}{'bare p50':>9}{'p95':>7}{'×':>6}{'SQL':>5}{'slowest':>9}{'kB':>6}"
        )
        for address in addresses(owner):
            if options.only in address:
                measure(app, browser, owner if options.explain else None, address, options.rounds)
        csv(app, browser)
        cookie = "; ".join(f"{one.key}={one.value}" for one in browser._cookies.values())
        print(export.through_gunicorn(f"/p/{SLUG}/invoices/export.csv?show=every", cookie))


@contextmanager
def portal(
    invoices: int, version: int | None
) -> Iterator[tuple[Flask, FlaskClient, psycopg.Connection[Any]]]:
    """A migrated portal with one filled partner, a signed-in owner, and a connection of the tables' owner."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        Path(folder).chmod(0o755)
        server = postgres.start(Path(folder) / "postgres", throwaway=True, version=version)
        bell = redis.start(Path(folder) / "redis")
        try:
            words = f"{postgres.APP_ROLE}:{server.passwords[postgres.APP_ROLE]}@127.0.0.1:{server.port}"
            admin = f"postgresql://postgres:{server.passwords['postgres']}@127.0.0.1:{server.port}"
            with psycopg.connect(f"{admin}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE bench OWNER {postgres.APP_ROLE}")
            os.environ.update(environment(f"postgresql://{words}/bench", bell.port, "http://127.0.0.1:1"))
            subprocess.run(
                [sys.executable, "-m", "flask", "db", "upgrade"], cwd=ROOT, check=True, capture_output=True
            )
            with psycopg.connect(f"{admin}/bench", autocommit=True) as owner:
                app = make_app()
                yield app, partner(app, owner, invoices), owner
        finally:
            bell.stop()
            server.stop()


def make_app() -> Flask:
    from portal import create_app
    from portal.database import shares
    from portal.web import assets

    app = create_app()
    shares.become(app, shares.Process.WEB)
    assets.prepare(app)
    kept: dict[str, str] = {}
    app.extensions["bare"] = kept

    from portal.access import permissions

    app.add_url_rule("/bare", "bare", permissions.signed_in(lambda: kept["html"]))
    return app


def partner(app: Flask, owner: psycopg.Connection[Any], invoices: int) -> FlaskClient:
    """The books, and a browser signed in as their owner."""
    from portal.access import passwords

    word = passwords.hashed("correct horse battery")
    tenant = one(owner, "INSERT INTO tenant (slug, name) VALUES (%s, 'Bench') RETURNING id", SLUG)
    person = one(
        owner, "INSERT INTO app_user (email, password_hash) VALUES ('b@example.com', %s) RETURNING id", word
    )
    owner.execute(
        "INSERT INTO membership (tenant_id, user_id, role) VALUES (%s, %s, 'owner')", [tenant, person]
    )
    source = one(
        owner,
        "INSERT INTO integration (tenant_id, state, role, identifier, email, username, zone_url, sync_minute, sync_hour,"
        " totals_mode, secret) VALUES (%s, 'connected', 'primary', 'number', 'b@example.com', 'api', 'http://127.0.0.1:1/',"
        " 7, 3, 'with_tax', '') RETURNING id",
        tenant,
    )  # fmt: skip
    books.fill(owner, tenant, source, invoices)
    owner.execute("VACUUM ANALYZE")
    browser = app.test_client()
    form = {"email": "b@example.com", "password": "correct horse battery"}
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert token is not None
    answer = browser.post("/login", data=form | {"csrf_token": token[1]})
    assert answer.status_code == 303, answer.text
    owner.execute("UPDATE login_session SET factor_at = now()")  # the second step is not what is measured
    return browser


def one(owner: psycopg.Connection[Any], statement: str, *values: Any) -> Any:
    row = owner.execute(statement, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def addresses(owner: psycopg.Connection[Any]) -> Iterator[str]:
    yield from LISTS
    for table, address in ONE.items():
        yield address.format(one(owner, f"SELECT max(id) FROM {table}"))


def measure(
    app: Flask, browser: FlaskClient, owner: psycopg.Connection[Any] | None, address: str, rounds: int
) -> None:
    path = f"/p/{SLUG}/{address}"
    wire = {"Accept-Encoding": "br"}
    answer = browser.get(path)
    if answer.status_code != 200:
        print(f"{address:<38} {answer.status_code}")
        return
    app.extensions["bare"]["html"] = answer.text
    for _ in range(8):  # statements are prepared after the fifth time
        size = len(browser.get(path, headers=wire).data)
    with listening(app) as said:
        browser.get(path, headers=wire)
    ours, bare = [], []
    for _ in range(rounds):  # in turns, so that the machine's other work hits both
        ours.append(timed(lambda: browser.get(path, headers=wire)))
        bare.append(timed(lambda: browser.get("/bare", headers=wire)))
    mine, theirs = spread(ours), spread(bare)
    slowest = max(said, key=lambda pair: pair[1], default=("", 0.0))
    print(
        f"{address or '(home)':<38}{mine[0]:>7.1f}{mine[1]:>7.1f}{theirs[0]:>9.1f}{theirs[1]:>7.1f}"
        f"{mine[1] / theirs[1]:>6.1f}{len(said):>5}{slowest[1]:>9.1f}{size / 1000:>6.1f}",
        flush=True,
    )
    for statement, took in said if owner is not None else []:
        if took > SLOW:
            print(f"--- {took:.0f} ms\n{statement}\n")


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def spread(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), sorted(times)[int(len(times) * 0.95)]


@contextmanager
def listening(app: Flask) -> Iterator[list[tuple[str, float]]]:
    """Statements with their milliseconds; slow ones with their plan."""
    said: list[tuple[str, float]] = []

    def before(_: Any, __: Any, ___: str, ____: Any, context: Any, *_____: Any) -> None:
        context.begun = time.perf_counter()

    def after(_: Any, cursor: Any, statement: str, values: Any, context: Any, *__: Any) -> None:
        took = (time.perf_counter() - context.begun) * 1000
        if took > SLOW and statement.lstrip().upper().startswith(("SELECT", "WITH")):
            plain = cursor.connection.cursor()
            plain.execute("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + statement, values)
            statement += "\n" + "\n".join(row[0] for row in plain.fetchall())
        said.append((statement, took))

    with app.app_context():
        from portal.extensions import db

        engine = db.engine
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def csv(app: Flask, browser: FlaskClient) -> None:
    """All invoices as a file: its first byte, all of it, and what the process grew by."""
    import resource

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before, begun = peak(), time.perf_counter()
    answer = browser.get(f"/p/{SLUG}/invoices/export.csv?show=every", buffered=False)
    if answer.status_code != 200:
        print(f"export.csv {answer.status_code}")
        return
    first, size, rows = 0.0, 0, -1
    for part in answer.response:
        first = first or time.perf_counter() - begun
        size += len(part)
        rows += part.count(b"\n")
    took = time.perf_counter() - begun
    print(
        f"export.csv: {rows:,} rows, {size / 1e6:.1f} MB, first byte {first:.2f} s, all {took:.1f} s, +{peak() - before:.0f} MB"
    )


if __name__ == "__main__":
    main()
