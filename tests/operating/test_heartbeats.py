"""Heartbeats are rows: the poller's own, and what workers and the scheduler say in Redis."""

import os
import signal
import subprocess
import sys
import time

import pytest
import redis
from sqlalchemy import select, text

from jobs import poll
from jobs.poll import Poller
from portal.extensions import db
from portal.models import Heartbeat
from portal.operating import heartbeats
from portal.queue import beats
from portal.queue.names import PROCESSES


def rows(app):
    with app.app_context():
        return {(row.process, row.host): row.beat_at for row in db.session.scalars(select(Heartbeat)).all()}


def test_the_poller_writes_down_who_was_heard_of(app, redis_url):
    connection = redis.Redis.from_url(redis_url)
    beats.beat(connection, "worker syncs")
    with app.app_context():
        heartbeats.write()
        heartbeats.write()
        assert set(heartbeats.ages()) == {"poller", "worker syncs"}
        assert max(heartbeats.ages().values()) < 30
    assert {host for _, host in rows(app)} == {beats.host()}


def test_an_older_word_does_not_move_a_heartbeat_back(app, redis_url):
    connection = redis.Redis.from_url(redis_url)
    beats.beat(connection, "scheduler")
    with app.app_context():
        heartbeats.write()
        before = heartbeats.ages()["scheduler"]
    connection.zadd(beats.KEY, {f"scheduler@{beats.host()}": connection.time()[0] - 600})
    with app.app_context():
        heartbeats.write()
        assert heartbeats.ages()["scheduler"] < before + 60


def test_what_stands_in_redis_and_is_no_process_of_ours_is_left_out(app, redis_url):
    connection = redis.Redis.from_url(redis_url)
    now = connection.time()[0]
    connection.zadd(
        beats.KEY,
        {"poller@evil": now, "x": now, "worker syncs@a\nb": now, "scheduler@" + "h" * 9000: now + 1e9},
    )
    connection.zadd(beats.KEY, {"worker syncs@gone": now - beats.FORGOTTEN_SECONDS - 1})
    with app.app_context():
        heartbeats.write()
    assert {process for process, _ in rows(app)} == {"poller", "scheduler"}
    assert max(len(host) for _, host in rows(app)) <= 100
    assert connection.zscore(beats.KEY, "worker syncs@gone") is None


def test_without_redis_only_the_poller_is_heard_of(app):
    app.config["REDIS_URL"] = "redis://127.0.0.1:9/0"
    with app.app_context():
        heartbeats.write()
    assert {process for process, _ in rows(app)} == {"poller"}


def test_redis_is_asked_before_a_transaction_begins(app, superuser, monkeypatch):
    hear, seen = beats.heard, []

    def hear_and_look(connection):
        open_ = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        seen.extend(superuser.execute(open_).fetchone())
        return hear(connection)

    monkeypatch.setattr(beats, "heard", hear_and_look)
    with app.app_context():
        heartbeats.write()
    assert seen == [0]


def test_all_are_written_by_one_statement_in_one_order(app, redis_url, asked):
    """So two who write at once do not each wait for the other."""
    connection = redis.Redis.from_url(redis_url)
    now = connection.time()[0]
    alike = [f"worker syncs@{'h' * 100}{end}" for end in "ab"]  # the same host, as far as it is kept
    connection.zadd(
        beats.KEY, dict.fromkeys(["worker syncs@b", "scheduler@z", "worker syncs@a", *alike], now)
    )
    with app.app_context():
        wrote = [one for one in asked(heartbeats.write) if "INSERT INTO heartbeat" in one]
    assert len(wrote) == 1
    with app.app_context():
        written = db.session.execute(text("SELECT process, host FROM heartbeat ORDER BY ctid")).all()
    assert len(written) == 5
    assert written == sorted(written)


def test_the_poller_does_so_in_its_rounds(app):
    poller = Poller(app, [watch for watch in poll.watches() if watch.name == "heartbeats"])
    poller.look_around()
    for thread in poller.running.values():
        thread.join(20)
    assert {process for process, _ in rows(app)} == {"poller"}


@pytest.mark.in_turn(3)
@pytest.mark.faults
def test_every_process_of_a_deploy_is_heard_of(app, environment):
    """The real ones: a crew and a scheduler."""
    programs = [[sys.executable, "-m", "jobs.work"], [sys.executable, "-m", "jobs.tick"]]
    running = [subprocess.Popen(program, env=os.environ | environment) for program in programs]
    try:
        until = time.monotonic() + 240
        while {process for process, _ in rows(app)} != set(PROCESSES) and time.monotonic() < until:
            time.sleep(0.3)
        assert {process for process, _ in rows(app)} == set(PROCESSES)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(120) for process in running]
    assert ended[0] == 0
