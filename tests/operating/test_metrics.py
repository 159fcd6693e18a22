"""/metrics: what all processes counted, what waits, what checks found; for Prometheus alone, and naming no partner."""

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import psycopg
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from local.demo_run import answers
from local.servers import free_port
from portal import counts
from portal.extensions import db
from portal.models import MetricCount
from portal.operating import counting, metrics, ready
from portal.queue import DELIVERIES, bell
from sandbox import Sandbox
from tests import factories

TOKEN = {"Authorization": "Bearer " + "t" * 40}


@pytest.fixture
def metered(well):
    """Nothing is counted yet."""
    counts.take()
    well.config["OPERATIONS_TOKEN"] = "t" * 40
    return well


def series(app, **environ):
    """Value by name and labels, as a scrape reads them."""
    answer = app.test_client().get("/metrics", headers=TOKEN, environ_overrides=environ)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found.get((name, tuple(sorted(labels.items()))))


def write(app):
    with app.app_context():
        counting.write_all()


def test_answers_are_counted_by_route_and_status_and_timed_by_kind(metered):
    browser = metered.test_client()
    for _ in range(3):
        browser.get("/login")
    browser.get("/no-such-page")
    browser.open("/login", method="BREW")
    write(metered)
    found = series(metered)
    count = "portal_http_requests_total"
    assert value(found, count, route="sessions.new", method="GET", status="200") == 3
    assert value(found, count, route="none", method="GET", status="404") == 1
    assert value(found, count, route="none", method="other", status="405") == 1
    assert value(found, "portal_http_request_seconds_count", kind="page") == 5
    assert value(found, "portal_http_request_seconds_bucket", kind="page", le="+Inf") == 5
    assert value(found, "portal_http_request_seconds_sum", kind="page") > 0


def test_what_two_processes_count_adds_up(metered):
    for _ in range(2):
        counts.add("portal_jobs_total", job="jobs.mail.send_due", outcome="done")
        write(metered)
    assert value(series(metered), "portal_jobs_total", job="jobs.mail.send_due", outcome="done") == 2


def test_what_waits_and_what_checks_found_is_read_from_the_tables(metered):
    with metered.app_context(), factories.inside(factories.tenant()):
        factories.payment((factories.invoice(factories.customer(factories.integration(metered))), "100.00"))
        db.session.commit()
    found = series(metered)
    assert value(found, "portal_deliveries", state="waiting") == 1
    assert value(found, "portal_integrations", state="connected") == 1
    assert value(found, "portal_check_ok", check="poller") == 1
    assert 0 <= value(found, "portal_check_seconds", check="poller") < 60
    assert value(found, "portal_check_connections", check="connections") > 0


@pytest.mark.parametrize("over", ["state = 'confirmed'", "state = 'parked', closed_at = now()"])
def test_what_autotask_was_told_is_not_counted_again_and_again(metered, superuser, over):
    with metered.app_context(), factories.inside(factories.tenant()):
        factories.payment((factories.invoice(factories.customer(factories.integration(metered))), "100.00"))
        db.session.commit()
    superuser.execute("SELECT set_config('portal.closing', 'on', false)")
    superuser.execute(f"UPDATE delivery SET {over}, next_try_at = NULL")
    assert [labels for name, labels in series(metered) if name == "portal_deliveries"] == []


def test_what_the_database_does_not_tell_in_time_is_left_out_and_the_rest_is_told(
    metered, superuser_url, monkeypatch, caplog
):
    monkeypatch.setattr(ready, "STATEMENT_SECONDS", 1)
    with psycopg.connect(superuser_url) as holding:
        holding.execute("LOCK TABLE exception_item")
        found = series(metered)
    assert value(found, "portal_check_ok", check="poller") == 1
    names = {name for name, _ in found}
    assert "portal_log_lines_total" in names
    assert "portal_exceptions" not in names
    assert caplog.text.count("metrics.left_out") == 1


def test_calls_to_autotask_are_counted_by_what_came_of_them(metered):
    from portal.autotask.calls import Credentials
    from portal.autotask.client import Client
    from portal.autotask.errors import AutotaskError

    with Sandbox(customers=1, invoices=1) as running:
        for secret in (running.secret, "wrong"):
            credentials = Credentials(running.username, secret, "TESTS")
            with (
                Client(running.api_url, credentials, trusted_hosts=[f"127.0.0.1:{running.port}"]) as client,
                suppress(AutotaskError),
            ):
                client.count("Companies", [])
    write(metered)
    found = series(metered)
    name = "portal_autotask_calls_total"
    assert value(found, name, method="POST", entity="Companies", outcome="answered") == 1
    assert value(found, name, method="POST", entity="Companies", outcome="unauthorized") == 1
    assert value(found, "portal_autotask_call_seconds_count", method="POST") == 2


def test_lines_are_counted_by_event_and_those_of_libraries_together(metered):
    import logging

    import structlog

    def lines(event: str, level: str) -> float:
        return value(series(metered), "portal_log_lines_total", event=event, level=level) or 0

    write(metered)  # what libraries said in tests before
    before = lines("bell.lost", "warning"), lines("other", "error")
    structlog.get_logger().warning("bell.lost", job="x")
    logging.getLogger("some.library").error("Something odd for olga@northwind.example")
    write(metered)
    found = series(metered)
    assert (lines("bell.lost", "warning"), lines("other", "error")) == (before[0] + 1, before[1] + 1)
    assert not [labels for _, labels in found if "northwind" in str(labels)]


@pytest.mark.faults
def test_a_job_of_a_real_worker_is_counted(metered, environment):
    """Its process ends with the job."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "jobs.queue_worker", DELIVERIES], env=os.environ | environment
    )
    try:
        with metered.app_context():
            assert bell(DELIVERIES, "jobs.tick_jobs.due_work")
        until, done = time.monotonic() + 240, None
        while done is None and time.monotonic() < until:
            time.sleep(0.2)
            done = value(series(metered), "portal_jobs_total", job="jobs.tick_jobs.due_work", outcome="done")
        assert done == 1
    finally:
        worker.terminate()
        worker.wait(120)


def test_what_cannot_be_written_waits_for_the_next_time(metered, monkeypatch):
    counts.add("portal_jobs_total", job="j", outcome="done")
    with metered.app_context():
        monkeypatch.setattr(counting, "ADD", db.text("SELECT no_such_column, :names, :labels, :values"))
    counting.write_quietly(metered)
    monkeypatch.undo()
    counting.write_quietly(metered)
    with metered.app_context():
        rows = db.session.scalars(select(MetricCount).where(MetricCount.name == "portal_jobs_total")).all()
    assert [(row.labels, row.value) for row in rows] == [('["j", "done"]', 1)]


def test_what_was_left_in_redis_waits_as_well_when_it_cannot_be_written(metered, redis_url, monkeypatch):
    counts.add("portal_jobs_total", job="j", outcome="failed")
    counting.leave(redis.Redis.from_url(redis_url))
    monkeypatch.setattr(counting, "ADD", db.text("SELECT no_such_column, :names, :labels, :values"))
    with metered.app_context(), pytest.raises(SQLAlchemyError):
        counting.write_all()
    monkeypatch.undo()
    write(metered)
    assert value(series(metered), "portal_jobs_total", job="j", outcome="failed") == 1


def test_who_has_no_database_leaves_its_counts_in_redis_and_nobody_else_can_make_some_up(metered, redis_url):
    connection = redis.Redis.from_url(redis_url)
    counts.add("portal_jobs_total", job="j", outcome="failed")
    counting.leave(connection)
    for field, number in {
        json.dumps(["portal_jobs_total", "one label"]): 1,
        json.dumps(["made_up", "x", "y"]): 1,
        "no json": 1,
        json.dumps(["portal_jobs_total", "x", "line\nbreak"]): 1,
        json.dumps(["portal_jobs_total", 1, 2]): 1,
        json.dumps(["portal_jobs_total", "x", "y"]): -5,
        json.dumps(["portal_jobs_total", "x", "z" * 600]): 1,
        json.dumps(["portal_http_request_seconds_bucket", "page"]): 1,
    }.items():
        connection.hset(counting.LEFT, field, number)
    write(metered)
    with metered.app_context():
        mine = select(MetricCount.name, MetricCount.labels, MetricCount.value)
        rows = db.session.execute(mine.where(MetricCount.name != "portal_log_lines_total")).all()
    assert [tuple(row) for row in rows] == [("portal_jobs_total", '["j", "failed"]', 1)]
    assert not connection.exists(counting.LEFT)


def test_a_child_does_not_count_again_what_its_parent_counted(metered):
    counts.add("portal_jobs_total", job="j", outcome="done")
    child = os.fork()
    if child == 0:
        os._exit(len(counts.take()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(counts.take().values()) == 1


def test_series_do_not_grow_without_end(metered, monkeypatch):
    monkeypatch.setattr(counts, "MOST_SERIES", 3)
    for number in range(9):
        counts.add("portal_jobs_total", job=str(number), outcome="done")
    taken = counts.take()
    assert len(taken) == 4
    assert taken["portal_jobs_total", (counts.TOO_MANY, counts.TOO_MANY)] == 6


def test_it_is_not_there_for_strangers(metered):
    stranger = metered.test_client()
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-Forwarded-For": "127.0.0.1"}):
        answer = stranger.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
        assert answer.status_code == 404
    assert series(metered, REMOTE_ADDR="203.0.113.9")


def test_every_name_carries_its_unit_and_stands_in_the_list(metered):
    counts.observe("portal_autotask_call_seconds", 0.2, method="GET")
    write(metered)
    found = {name for name, _ in series(metered)}
    assert found <= metrics.names()
    endings = ("_total", "_seconds", "_seconds_bucket", "_seconds_sum", "_seconds_count", "_info", "_ok")
    counted_things = {*metrics.GAUGES, "portal_check_connections", "portal_check_bells"}
    assert {name for name in metrics.names() if not name.endswith(endings)} == counted_things


@pytest.mark.faults
def test_without_the_database_the_checks_say_so(own_database, own_app):
    own_app.extensions.pop("ready", None)
    with own_database.stopped():
        text = own_app.test_client().get("/metrics").text
    assert 'portal_check_ok{check="database"} 0.0' in text
    assert "portal_deliveries" not in text
    own_app.extensions.pop("ready", None)


@pytest.mark.in_turn(3)
@pytest.mark.faults
def test_two_processes_under_gunicorn_tell_the_same(environment, app):
    """Whichever of them is asked."""
    port = free_port()
    variables = os.environ | environment | {"WEB_CONCURRENCY": "2", "PORT": str(port), "DATABASE_POOL": "2"}
    command = [sys.executable, "-P", "-m", "jobs.serve", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL)

    def ask(path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer

    try:
        until = time.monotonic() + 240
        while not answers(f"http://127.0.0.1:{port}") and time.monotonic() < until:
            time.sleep(0.1)
        for _ in range(20):
            ask("/no-such-page")
        wanted = 'portal_http_requests_total{method="GET",route="none",status="404"} 20.0'
        until = time.monotonic() + 240
        while wanted not in ask("/metrics") and time.monotonic() < until:
            time.sleep(0.5)
        assert all(wanted in ask("/metrics") for _ in range(6))
    finally:
        server.terminate()
        server.wait(120)
