"""`flask sync run`: the words and outputs that operators and scripts rely on."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from portal.models import Integration, Tenant
from sandbox import Sandbox
from tests.sync.conftest import planned

ITEMS = {"customers", "contacts", "invoices", "line_items", "pdfs"}
NUMBERS = {"found", "created", "changed", "unchanged", "skipped", "failed"}


@pytest.fixture
def flask(app: Flask) -> Callable:
    """Runs `flask …`; the result has exit_code, output and stderr."""
    return lambda *words: app.test_cli_runner().invoke(args=words)


def test_the_first_full_read_prints_one_run_on_one_line(
    connect: Callable[..., Integration], sandbox: Sandbox, partner: Tenant, flask: Callable
) -> None:
    connect(sandbox)

    done = flask("sync", "run", partner.slug, "--kind", "all", "--wait")

    assert done.exit_code == 0, done.output
    assert done.stdout.count("\n") == 1
    run = json.loads(done.stdout)
    assert (run["state"], run["trigger"], run["error"]) == ("completed", "command", None)
    assert set(run["items"]) == ITEMS
    assert all(set(counts) == NUMBERS for counts in run["items"].values())
    assert run["items"]["invoices"]["created"] == sandbox.count("Invoices")
    assert run["api_calls"] == len(sandbox.requests)


def test_without_waiting_the_run_is_left_to_a_worker(
    connect: Callable[..., Integration], sandbox: Sandbox, partner: Tenant, flask: Callable
) -> None:
    connect(sandbox)

    run = json.loads(flask("sync", "run", partner.slug, "--kind", "all").stdout)

    assert run["state"] == "waiting"
    assert sandbox.requests == []


def test_a_refused_press_says_when_the_next_one_is_allowed_and_force_goes_past_it(
    connect: Callable[..., Integration], sandbox: Sandbox, partner: Tenant, flask: Callable
) -> None:
    """Rule 3.5."""
    planned(connect(sandbox))
    assert flask("sync", "run", partner.slug, "--kind", "unpaid", "--wait").exit_code == 0

    again = flask("sync", "run", partner.slug, "--kind", "unpaid", "--wait")

    assert again.exit_code == 1
    assert "Fetch Unpaid Invoices can be started once per 12 hours. The next time is" in again.stderr
    assert flask("sync", "run", partner.slug, "--kind", "unpaid", "--wait", "--force").exit_code == 0


def test_an_autotask_that_does_not_answer_fails_the_run_with_its_reason(
    connect: Callable[..., Integration],
    sandbox: Sandbox,
    partner: Tenant,
    flask: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portal.sync.perform.SHORT_PAUSES", (0.05,))
    connect(sandbox)
    sandbox.refuse_connections()

    done = flask("sync", "run", partner.slug, "--kind", "all", "--wait")

    assert done.exit_code == 1
    run = json.loads(done.stdout)
    assert run["state"] == "failed"
    assert "Autotask" in run["error"]
