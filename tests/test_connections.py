"""How many connections a release may hold, by arithmetic and as the server counts them."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import TimeoutError
from structlog.testing import capture_logs

from local.demo_run import answers
from local.servers import free_port
from portal import config
from portal.database import outside_transaction, shares
from portal.database.pool import SharePool
from portal.database.shares import SHARES, Process, Room
from portal.extensions import db
from tests.fixtures.web import become, put_back
from tests.local.processes import linux_only
from tests.test_config import GOOD

SMALLEST_PLAN = 20
OF_THE_APP = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'portal' AND backend_start > %s"""


@pytest.fixture
def as_by_default(app, monkeypatch):
    """The app with the settings of a deploy that names none."""
    usual = config.load(GOOD)
    for name in ("DATABASE_POOL", "WEB_CONCURRENCY"):
        monkeypatch.setitem(app.config, name, usual[name])
    return app


def of_connections(said):
    """Without what a new pool tells of the database at its first connection."""
    return [line for line in said if line["event"].startswith("connections.")]


def test_two_releases_and_a_command_fit_into_the_smallest_plan(as_by_default):
    assert Room(SMALLEST_PLAN, shares.of_one_release(as_by_default)).deploy <= SMALLEST_PLAN


def test_app_json_takes_no_more_than_the_defaults(as_by_default):
    told = json.loads(Path("app.json").read_text())["env"]
    named = {name: int(told[name]["value"]) for name in ("DATABASE_POOL", "WEB_CONCURRENCY")}
    assert named == {name: as_by_default.config[name] for name in named}


@pytest.mark.parametrize("process", Process)
def test_a_process_opens_no_more_than_its_share(app, process):
    """And its threads wait for each other, not for ever."""
    become(app, process)
    with app.app_context():
        pool = db.engine.pool
        pool._timeout = 0.01
        share = shares.share_of(app, process)
        held = [db.engine.connect() for _ in range(share.pool)]
        with pytest.raises(TimeoutError):
            db.engine.connect()
        for one in held:
            one.close()


@pytest.mark.parametrize("process", Process)
def test_a_test_that_became_another_process_leaves_a_web_process_to_the_next(app, process):
    """Else the tests after it wait 30 s for the one connection of a job, and fail."""
    with put_back(app):
        become(app, process)
        with app.app_context():
            db.engine.pool._timeout = 0.01
    with app.app_context():
        share = shares.share_of(app, Process.WEB)
        assert SharePool.share == share
        assert (db.engine.pool.size(), db.engine.pool._timeout) == (share.pool, share.patience)


@pytest.mark.parametrize("turn", range(5))
def test_who_waits_for_a_connection_gets_it_before_who_has_just_given_one_back(database_url, turn):
    """Otherwise a busy thread of a web process takes each free one again, and others wait until they give up."""
    pool = SharePool(partial(psycopg.connect, database_url), pool_size=1, max_overflow=0)
    order, held = [], pool.connect()

    def take(name):
        connection = pool.connect()
        order.append(name)
        connection.close()

    waiting = threading.Thread(target=take, args=["who waited"])
    waiting.start()
    while not pool._pool.not_empty._waiters:
        time.sleep(0.001)
    held.close()
    take("who had it")
    waiting.join()
    pool.dispose()
    assert order == ["who waited", "who had it"]


def test_who_waits_too_long_for_a_connection_does_not_hold_up_the_next(database_url):
    pool = SharePool(partial(psycopg.connect, database_url), pool_size=1, max_overflow=0, timeout=0.01)
    held = pool.connect()
    with pytest.raises(TimeoutError):
        pool.connect()
    held.close()
    pool.connect().close()
    pool.dispose()


def test_a_statement_of_its_own_needs_no_second_connection(app):
    become(app, Process.JOB)
    with app.app_context():
        db.engine.pool._timeout = 0.01
        assert outside_transaction.run(1, "SELECT 7") == [(7,)]
        db.session.execute(db.text("SELECT 1"))
        assert outside_transaction.read(1, "SELECT 7") == [(7,)]
        with pytest.raises(outside_transaction.TransactionOpen):
            outside_transaction.run(1, "SELECT 7")


def test_a_statement_of_its_own_leaves_the_next_transaction_as_it_was(app):
    """They share connections: neither the partner nor the commit of each statement stays."""
    become(app, Process.JOB)
    with app.app_context():
        outside_transaction.run(42, "SELECT 1")
        assert db.session.scalar(db.text("SELECT current_setting('app.tenant_id')")) == ""
        assert not db.session.connection().connection.driver_connection.autocommit


def test_the_databases_own_limit_is_known_and_said(as_by_default, superuser, database_url):
    limit = psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    name = psycopg.sql.Identifier(database_url.rpartition("/")[2])
    superuser.execute(limit.format(name, 7))
    try:
        with capture_logs() as said:
            shares.look(as_by_default)
    finally:
        superuser.execute(limit.format(name, -1))
    (line,) = of_connections(said)
    assert line["event"] == "connections.too_few"
    assert line["sentence"] == (
        "The database allows 7 connections. One release holds up to 9, a deploy with two of them 19: pages fail "
        "under load. Lower WEB_CONCURRENCY or DATABASE_POOL, or take a larger database."
    )


def test_the_roles_own_limit_is_known(superuser, database_url):
    """A role of this test's own: the portal's is shared by all that run beside it."""
    name = f"few_{database_url.rpartition('/')[2]}"
    superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'few' CONNECTION LIMIT 6")
    try:
        parts = psycopg.conninfo.conninfo_to_dict(database_url) | {"user": name, "password": "few"}
        with psycopg.connect(**parts) as connection:
            assert connection.execute(shares.FREE_FOR_US.text).fetchone() == (6,)
    finally:
        superuser.execute(f"DROP ROLE {name}")


def test_with_room_enough_nothing_is_said_at_the_start(as_by_default):
    with capture_logs() as said:
        shares.look(as_by_default)
    assert of_connections(said) == []


def test_without_the_database_the_start_goes_on(app, monkeypatch):
    monkeypatch.setattr(
        "portal.database.shares.room", lambda _: db.session.execute(db.text("SELECT no_such_column"))
    )
    with app.app_context(), capture_logs() as said:
        shares.look(app)
    assert [line["event"] for line in said] == ["connections.unknown"]


def test_the_release_is_refused_when_not_even_one_fits(app, monkeypatch):
    monkeypatch.setitem(app.config, "WEB_CONCURRENCY", 500)
    done = app.test_cli_runner().invoke(args=["connections", "check"])
    assert done.exit_code == 1
    assert "pages fail under load" in done.output


@linux_only
@pytest.mark.faults
def test_web_processes_under_load_hold_no_more_than_their_share(environment, superuser, app, tmp_path):
    """As the server counts them: two processes of four threads, each asked by eight clients at once."""
    port = free_port()
    variables = os.environ | environment | {"DATABASE_POOL": "2", "WEB_CONCURRENCY": "2", "PORT": str(port)}
    command = [sys.executable, "-P", "-m", "jobs.serve", "--bind", f"127.0.0.1:{port}"]
    before = superuser.execute("SELECT now()").fetchone()[0]
    written = tmp_path / "lines.log"
    with written.open("wb") as lines:
        server = subprocess.Popen(command, env=variables, stderr=lines)
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(15):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/api/v1/payments", "{}", {"Authorization": "Bearer nobody"})
            statuses.append(connection.getresponse().status)
            connection.close()

    try:
        until = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}") and time.monotonic() < until:
            time.sleep(0.1)
        clients = [threading.Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        most = 0
        while any(client.is_alive() for client in clients):
            most = max(most, superuser.execute(OF_THE_APP, (before,)).fetchone()[0])
        assert 0 < most <= 2 * SHARES[Process.WEB].total
        assert len(statuses) == 120
        assert max(statuses) < 500, written.read_text()[-8000:]
    finally:
        server.terminate()
        server.wait(30)
