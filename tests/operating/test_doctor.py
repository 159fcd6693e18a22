"""`flask doctor`: each of its checks is seen failing, and says how to mend it."""

import base64
import json
import os
import socket
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import redis
from flask import Flask

from jobs import schedule, upkeep
from portal import clock
from portal.extensions import db
from portal.mail.server import Server
from portal.operating import books, doctor, reach, ready, settings
from portal.operating.check import Check, looking
from tests import factories
from tests.fixtures.servers import ROOT
from tests.mail.post_office import PostOffice, opened

OTHER_KEY = b"another-key-another-key-another!"
# What ready.py asks is seen failing in test_ready.
SEEN_THERE = {check.name for check in ready.READY}
# State of a check in a portal of tests, which lacks what a deploy should have.
TO_BE_KNOWN = {"configuration", "mail", "duties"}


@pytest.fixture
def whole(well: Flask, redis_url: str) -> Any:
    """With the scheduler's table, and somebody who answers at Autotask's address."""
    redis.Redis.from_url(redis_url).zadd(reach.SCHEDULED, dict.fromkeys(reach.ENTRIES, 1))
    with socket.create_server(("127.0.0.1", 0)) as there:
        well.config["AUTOTASK_DISCOVERY_URL"] = f"http://127.0.0.1:{there.getsockname()[1]}/"
        yield well


def run(app: Flask) -> dict[str, dict[str, Any]]:
    done = app.test_cli_runner().invoke(args=["doctor", "--json"])
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == any(row["state"] in ("wrong", "unknown") for row in found.values())
    return found


def in_state(found: dict[str, dict[str, Any]], state: str) -> set[str]:
    return {name for name, row in found.items() if row["state"] == state}


def with_payment(app: Flask) -> None:
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        factories.payment((factories.invoice(factories.customer(factories.integration(app))), "100.00"))
        db.session.commit()


def test_where_all_is_well_it_says_so_and_what_should_be_known(whole):
    with_payment(whole)
    found = run(whole)
    assert set(found) == {check.name for check in doctor.DOCTOR}
    known = TO_BE_KNOWN | (set() if whole.config["DATABASE_OWNER_URI"] else {"roles"})
    assert in_state(found, "look") == known
    assert in_state(found, "ok") == set(found) - known
    assert all(row["mend"] for row in found.values() if row["state"] != "ok")


def an_open_door(app: Flask, _: Any, __: Any) -> None:
    app.config["PORTAL_URL"] = "https://portal.example.com"


def pinned_otherwise(_: Flask, __: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settings.metadata, "version", lambda name: "0.0.1" if name == "flask" else _version(name))


_version = settings.metadata.version


def no_room(app: Flask, _: Any, __: Any) -> None:
    app.config["WEB_CONCURRENCY"] = 500


def another_time(_: Flask, __: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach.clock, "now", lambda real=clock.now: real() + timedelta(minutes=10))


def an_emptied_redis(app: Flask, _: Any, __: Any) -> None:
    redis.Redis.from_url(app.config["REDIS_URL"]).delete(reach.SCHEDULED)


def bells_that_nobody_hears(app: Flask, _: Any, __: Any) -> None:
    redis.Redis.from_url(app.config["REDIS_URL"]).rpush("rq:queue:syncs", *range(reach.MOST_BELLS + 1))


def half_a_schedule(app: Flask, superuser: psycopg.Connection[Any], _: Any) -> None:
    superuser.execute(
        "INSERT INTO sync_schedule (tenant_id, integration_id, kind, next_due_at)"
        " SELECT tenant_id, id, 'new', now() + interval '1 hour' FROM integration"
    )


def duties_undone(_: Flask, superuser: psycopg.Connection[Any], __: Any) -> None:
    superuser.execute("INSERT INTO upkeep (name, done_at) VALUES ('retention', now() - interval '3 days')")


def a_bucket_that_is_away(app: Flask, _: Any, patch: pytest.MonkeyPatch) -> None:
    app.config["STORAGE_URL"] = "s3://nobody/here"
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "portal", "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():  # fmt: skip
        patch.setenv(name, value)
    patch.setattr("portal.storage.RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})


def no_mail_server(app: Flask, _: Any, __: Any) -> None:
    app.config["MAIL"] = Server("127.0.0.1", 9, "portal@example.com", start_tls=False, seconds=1.0)


def autotask_away(app: Flask, _: Any, __: Any) -> None:
    app.config["AUTOTASK_DISCOVERY_URL"] = "http://127.0.0.1:9/"


def a_lost_key(app: Flask, _: Any, __: Any) -> None:
    app.config["ENCRYPTION_KEYS"] = {"2": OTHER_KEY}


def a_changed_event(_: Flask, superuser: psycopg.Connection[Any], __: Any) -> None:
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE audit_event SET event = 'nothing' WHERE position = 1")


def a_wrong_sum(_: Flask, superuser: psycopg.Connection[Any], __: Any) -> None:
    superuser.execute("UPDATE invoice SET paid_amount = paid_amount - 1")


Arrange = Callable[[Flask, Any, pytest.MonkeyPatch], None]
FAILING: dict[str, tuple[Arrange, str]] = {
    "configuration": (an_open_door, "INSECURE_COOKIES is 1"),
    "versions": (pinned_otherwise, "flask is 0.0.1"),
    "budget": (no_room, "pages fail under load"),
    "clock": (another_time, "seconds apart"),
    "queues": (an_emptied_redis, "lacks tick-due-work"),
    "queues, full": (bells_that_nobody_hears, "1,001 bells wait in the queue syncs"),
    "schedules": (half_a_schedule, "1 integration are not whole"),
    "duties": (duties_undone, "retention"),
    "storage": (a_bucket_that_is_away, "could not be reached"),
    "mail": (no_mail_server, "could not be reached"),
    "autotask": (autotask_away, "Payments are recorded and wait"),
    "secrets": (a_lost_key, "cannot be decrypted"),
    "audit": (a_changed_event, "northwind"),
    "sums": (a_wrong_sum, "northwind"),
}


@pytest.mark.parametrize("name", FAILING)
def test_each_check_is_seen_failing(whole, superuser, monkeypatch, name):
    with_payment(whole)
    arrange, said = FAILING[name]
    arrange(whole, superuser, monkeypatch)
    found = run(whole)
    check = name.partition(",")[0]
    assert in_state(found, "wrong") == {check}, [found[one]["sentence"] for one in in_state(found, "wrong")]
    assert said in found[check]["sentence"]
    assert found[check]["mend"]


def test_sums_that_lists_keep_are_said_to_be_wrong_and_a_command_puts_them_right(whole, superuser):
    with_payment(whole)
    superuser.execute("UPDATE invoice_sum SET outstanding = outstanding + 1")
    said = run(whole)["sums"]
    assert "What lists and home add up is not the sum of their rows at: northwind." in said["sentence"]
    assert "flask partners mend-sums" in said["mend"]
    done = whole.test_cli_runner().invoke(args=["partners", "mend-sums", "northwind"])
    assert (done.exit_code, '"invoice_sum"' in done.output) == (0, True)
    assert run(whole)["sums"]["state"] == "ok"


def test_every_check_is_seen_failing_somewhere():
    """Roles is never wrong: a platform with one role has to do with one."""
    seen = {name.partition(",")[0] for name in FAILING} | SEEN_THERE | {"roles"}
    assert seen == {check.name for check in doctor.DOCTOR}


def test_it_knows_the_duties_and_the_scheduler_s_table_as_they_are():
    assert {duty.name: duty.every for duty in upkeep.DUTIES} == books.DUTIES
    assert {entry.id for entry in schedule.TABLE} == reach.ENTRIES


def test_a_mail_server_that_answers_is_well_and_gets_no_mail(whole):
    office = PostOffice()
    with opened(office) as server:
        whole.config["MAIL"] = server
        assert run(whole)["mail"]["state"] == "ok"
    assert (office.tries, office.mails) == (0, [])


def test_without_the_database_it_says_that_once_and_looks_at_what_needs_none(whole):
    def away() -> Any:
        raise psycopg.OperationalError("PostgreSQL does not answer.")

    checks = [
        Check(one.name, one.title, away if one.name == "database" else one.look, one.needs)
        for one in doctor.DOCTOR
    ]
    with whole.app_context():
        found = {result.check.name: result.finding.state for result in looking(checks)}
    assert {name for name, state in found.items() if state == "wrong"} == {"database"}
    assert found["audit"] == found["poller"] == "unknown"
    assert found["autotask"] == "ok"


def test_for_a_person_each_is_a_line_and_what_to_do_stands_below(whole):
    autotask_away(whole, None, None)
    done = whole.test_cli_runner().invoke(args=["doctor"])
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("WRONG"))
    assert lines[at].startswith("WRONG   Autotask's address answers: 127.0.0.1:9 could not be reached")
    assert lines[at + 1].strip().startswith("→ ")
    assert done.exit_code == 1


def test_a_setting_that_keeps_the_portal_from_starting_is_said_without_a_traceback(environment, python):
    command = [python, "-m", "flask", "--app", "wsgi", "doctor"]
    values = os.environ | environment | {"SECRET_KEY": "short"}
    done = subprocess.run(command, env=values, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 1
    assert done.stderr.strip() == "SECRET_KEY is shorter than 32 characters. Use a long random value."


def test_an_older_key_is_worth_a_look_and_sealing_anew_leaves_it(whole, superuser):
    """Run twice, and broken off in between by a key that is gone: nothing is lost."""
    with_payment(whole)
    old = dict(whole.config["ENCRYPTION_KEYS"])
    whole.config["ENCRYPTION_KEYS"] = {"2": OTHER_KEY, **old}
    assert run(whole)["secrets"]["state"] == "look"
    for anew in (1, 0):
        done = whole.test_cli_runner().invoke(args=["keys", "seal-anew"])
        assert json.loads(done.stdout) == {"newest": 1 - anew, "older": anew, "lost": 0}
    whole.config["ENCRYPTION_KEYS"] = {"2": OTHER_KEY}
    assert run(whole)["secrets"]["state"] == "ok"
    whole.config["ENCRYPTION_KEYS"] = old
    refused = whole.test_cli_runner().invoke(args=["keys", "seal-anew"])
    assert refused.exit_code == 1
    assert base64.b64encode(OTHER_KEY) not in refused.output.encode()
