"""Log lines as they leave the process, and an app with a planted fault in every kind of place."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, abort, render_template_string, request
from sqlalchemy import text

from portal import config, create_app, logs
from portal.access.permissions import public
from portal.extensions import db
from portal.web import error_pages
from tests.fixtures.form_tokens import Browser

Lines = Callable[[], list[dict[str, Any]]]


def fail(*_: object) -> None:
    raise RuntimeError("planted")


def fail_at(path: str) -> Callable[..., None]:
    return lambda *_: fail() if request.path == path else None


class BreakingWords(dict):
    """Words that cannot be had for one address, so that drawing its error page fails as well."""

    def get(self, *arguments: Any) -> Any:
        fail_at("/page-of-the-fault")()
        return super().get(*arguments)


PLANTED = {
    "/view": fail,
    "/api/v1/planted": fail,
    "/template": lambda: render_template_string("{{ fail() }}", fail=fail),
    "/door": lambda: "never reached",
    "/way-out": lambda: "answered, and then",
    "/given-up": lambda: abort(503),
    "/database": lambda: str(db.session.execute(text("SELECT 1/0"))),
    "/page-of-the-fault": fail,
    "/p/<partner_slug>/planted": fail,
    "/p/<partner_slug>/refused": lambda: abort(403),
}


@pytest.fixture(scope="session")
def deployed_app(whole_app: Flask, environment: dict[str, str]) -> Iterator[Flask]:
    """As a deployed one is: faults are answered, not raised."""
    other = create_app(config.load(environment))
    other.test_client_class = Browser
    other.before_request(fail_at("/door"))
    other.teardown_request(fail_at("/way-out"))
    for path, view in PLANTED.items():
        other.add_url_rule(path, path, public(lambda view=view: view()))
    yield other
    with other.app_context():
        db.engine.dispose()


@pytest.fixture
def json_app(app: Flask, deployed_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(error_pages, "WORDS", BreakingWords(error_pages.WORDS))
    logs.configure("json")
    yield deployed_app
    logs.configure("text")


@pytest.fixture
def lines(json_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What was written since, each line read as JSON; a line that is not JSON fails the test."""
    written: list[str] = []
    monkeypatch.setattr(logs.lines, "_write", written.append)
    return lambda: [json.loads(line) for whole in written for line in whole.splitlines()]
