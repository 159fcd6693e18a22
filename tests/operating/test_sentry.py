"""Sentry, where it is set: what the log line says, and nothing else; against a receiver on this machine."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import brotli
import pytest
import sentry_sdk
import structlog
from rq import Queue
from sqlalchemy import text

from portal import config, create_app
from portal.config import ConfigError
from portal.extensions import db
from portal.logs import lines
from portal.operating import sentry
from tests import factories
from tests.fixtures.servers import ROOT
from tests.rules.test_every_setting import GOOD

UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}
SECRETS = ("hunter2", "olga@northwind.example", "s3cr3t-token", "Northwind Traders")


@dataclass
class Received:
    bodies: list[bytes] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict]:
        """The items of each envelope that are events."""
        found = []
        for body in self.bodies:
            lines = body.split(b"\n")
            for header, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(header).get("type") == "event":
                    found.append(json.loads(item))
        return found


@pytest.fixture
def receiver() -> Iterator[tuple[str, Received]]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.bodies.append(UNPACK[self.headers.get("Content-Encoding", "")](body))
            received.headers.append(str(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://key@127.0.0.1:{server.server_port}/7", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def reporting(app, environment, receiver) -> Iterator[Received]:
    """An app that reports, with a page that fails."""
    address, received = receiver
    made = create_app(config.load(environment) | {"SENTRY_DSN": address})
    received.app = made  # type: ignore[attr-defined]
    yield received
    lines._listeners.clear()
    sentry_sdk.get_client().close(timeout=2)
    sentry_sdk.init(
        default_integrations=False, auto_enabling_integrations=False
    )  # they would write into our jobs
    with made.app_context():
        db.engine.dispose()


def test_a_page_that_fails_is_one_event_with_its_place_and_its_ids_and_no_data_of_people(
    reporting, monkeypatch
):
    app = reporting.app

    def fail(**_: object) -> None:
        password = SECRETS[0]
        db.session.execute(
            text("SELECT no_such_column WHERE :who <> :what"), {"who": SECRETS[1], "what": password}
        )

    fail.access = "public"  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "sessions.new", fail)
    browser = app.test_client()
    browser.set_cookie("theme", SECRETS[2])
    answer = browser.get(f"/login?next={SECRETS[3]}", headers={"Authorization": f"Bearer {SECRETS[2]}"})
    assert answer.status_code == 500
    sentry.flush()
    (event,) = reporting.events
    (error,) = [one for one in event["exception"]["values"] if one["type"] == "UndefinedColumn"]
    assert error["stacktrace"]["frames"]
    assert event["tags"]["event"] == "request.failed"
    assert event["contexts"]["ids"]["request_id"] in answer.text
    whole = b"".join(reporting.bodies).decode() + "".join(reporting.headers)
    assert [secret for secret in SECRETS if secret in whole] == []
    assert "no_such_column" in whole


def test_errors_of_one_place_are_one_issue_and_warnings_are_none(reporting):
    structlog.contextvars.clear_contextvars()
    log = structlog.get_logger("portal")
    for number in range(2):
        try:
            raise ValueError(f"invoice {number} of olga@northwind.example")
        except ValueError:
            log.exception("job.failed", job_id=f"j-{number}", secret="hunter2")
    log.warning("bell.lost", job="x")
    sentry.flush()
    first, second = reporting.events
    assert first["fingerprint"] == second["fingerprint"]
    assert first["fingerprint"][0] == "job.failed"
    assert first["contexts"]["ids"] == {"job_id": "j-0"}
    assert "olga" not in b"".join(reporting.bodies).decode()
    assert "hunter2" not in b"".join(reporting.bodies).decode()


def test_what_ends_a_process_is_told_before_it_is_gone(environment, receiver):
    address, received = receiver
    program = (
        "import os, sys; from portal import config, create_app;"
        "create_app(config.load(os.environ) | {'SENTRY_DSN': sys.argv[1]}); raise ValueError('over')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, address], env=os.environ | environment | {"LOG_FORMAT": "json"},
        cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "process.failed" in ended.stderr
    (event,) = received.events
    assert (event["level"], event["tags"]["event"]) == ("fatal", "process.failed")


def test_a_sentry_that_is_away_holds_nothing_up_and_fails_nothing(app, environment):
    other = create_app(config.load(environment) | {"SENTRY_DSN": "http://key@127.0.0.1:9/7"})
    structlog.get_logger("portal").error("job.failed", reason="x")
    with other.app_context():
        assert other.test_client().get("/login").status_code == 200
        db.engine.dispose()
    lines._listeners.clear()
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)


def test_without_an_address_nothing_is_sent(app):
    assert lines._listeners == []
    assert sentry_sdk.get_client().dsn is None
    with app.app_context():
        factories.tenant()


@pytest.mark.parametrize(
    "value",
    [
        "https://host/7",
        "https://hunter2@host/",
        "https://hunter2@host/seven",
        "http://hunter2@sentry.example/7",
        "no address",
    ],
)
def test_an_address_that_cannot_work_is_refused_without_its_key(value):
    with pytest.raises(ConfigError, match="SENTRY_DSN") as refused:
        config.load({**GOOD, "SENTRY_DSN": value})
    assert "hunter2" not in str(refused.value)
    assert config.load({**GOOD, "SENTRY_DSN": "https://key@sentry.example/7"})["SENTRY_DSN"]


def test_neither_the_portal_nor_these_tests_let_sentry_wrap_anything():
    """Wrapped, a queue would add notes to jobs, and workers refuse what carries notes."""
    assert not hasattr(Queue.enqueue_job, "__wrapped__")
    assert sentry_sdk.get_client().integrations == {}
