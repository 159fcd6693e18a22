"""`flask integrations …`: the words and outputs that operators and scripts rely on."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Integration, SyncRun, Tenant
from sandbox import Sandbox
from tests import factories


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant("northwind")


@pytest.fixture
def run(app: Flask, partner: Tenant) -> Callable[..., Result]:
    def run(*words: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=["integrations", *words], input=stdin)

    return run


@pytest.fixture
def connect(run: Callable[..., Result], sandbox: Sandbox) -> Callable[..., Result]:
    def connect(*, secret: str = "", username: str = "") -> Result:
        words = ["connect", "northwind", "--email", "dana@example.com", "--identifier", "id"]
        name = username or sandbox.username
        return run(*words, "--username", name, "--role", "primary", stdin=f"{secret or sandbox.secret}\n")

    return connect


def test_connect_prints_the_integration_and_starts_the_first_full_run(
    app: Flask, connect: Callable[..., Result], sandbox: Sandbox, partner: Tenant
) -> None:
    result = connect()

    shown = json.loads(result.stdout)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert shown["state"] == "connected"
    assert (shown["email"], shown["username"]) == ("dana@example.com", sandbox.username)
    assert (shown["role"], shown["identifier"], shown["zone_url"]) == ("primary", "id", sandbox.api_url)
    assert (shown["totals_mode"], shown["totals_evidence"]["mode"]) == ("without_tax", "without_tax")
    assert shown["usage"]["limit"] == 10_000
    with app.app_context(), tenant_scope(partner.id):
        first = db.session.scalar(select(SyncRun))
        assert first is not None
        assert (first.id, first.kind, first.trigger) == (shown["first_run"], "all", "connect")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret": "wrong-secret-9"}, "did not accept this key and secret"),
        ({"username": "nobody@nowhere.example"}, "does not know the username"),
    ],
)
def test_a_refused_connection_exits_with_the_sentence_and_saves_nothing(
    app: Flask, connect: Callable[..., Result], partner: Tenant, change: dict[str, str], words: str
) -> None:
    result = connect(**change)

    assert result.exit_code != 0
    assert words in result.stderr
    assert result.stdout == ""
    assert "wrong-secret-9" not in result.output
    with app.app_context(), tenant_scope(partner.id):
        assert db.session.scalar(select(Integration)) is None


def test_show_tells_all_but_the_secret(
    run: Callable[..., Result], connect: Callable[..., Result], sandbox: Sandbox
) -> None:
    connect()

    result = run("show", "northwind", "--json")

    shown = json.loads(result.stdout)
    assert result.exit_code == 0
    assert shown["usage"]["own_calls_last_hour"] == len(sandbox.requests) - 1  # zone discovery is free
    assert shown["reconnect_reason"] is None
    assert sandbox.secret not in result.stdout
    assert "secret" not in shown


def test_show_of_a_partner_that_never_connected_says_so(run: Callable[..., Result]) -> None:
    result = run("show", "northwind", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["state"] == "not_connected"


def test_an_unknown_partner_is_a_sentence_and_an_exit_code(run: Callable[..., Result]) -> None:
    result = run("show", "nobody", "--json")

    assert result.exit_code != 0
    assert "There is no partner with the slug 'nobody'" in result.stderr


def test_the_login_can_be_tested_and_the_integration_disconnected(
    run: Callable[..., Result], connect: Callable[..., Result], sandbox: Sandbox
) -> None:
    connect()

    assert json.loads(run("test", "northwind").stdout)["state"] == "connected"
    sandbox.forbid("Invoices")
    assert "no right to read invoices" in run("test", "northwind").stderr
    assert run("disconnect", "northwind", stdin="n\n").exit_code != 0
    gone = run("disconnect", "northwind", "--yes")

    shown = json.loads(gone.stdout)
    assert (shown["state"], shown["deliveries_owed"]) == ("disconnected", 0)
