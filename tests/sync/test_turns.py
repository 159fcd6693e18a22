"""A first read of much gives way to other partners' runs, page by page, and goes on behind them where it stopped."""

from typing import Any

import psycopg
import pytest
from flask import Flask

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Integration, Invoice, Tenant
from portal.sync import current_run, perform, run_lease, runs
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import ACTOR, rows, sync


@pytest.fixture
def large(empty: Sandbox, connect: Any, monkeypatch: pytest.MonkeyPatch) -> Integration:
    """Three pages of invoices, and turns that end with every page."""
    company = empty.add_company(companyName="Contoso")
    for _ in range(1001):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    monkeypatch.setattr(current_run, "TURN_SECONDS", 0.0)
    return connect(empty)


@pytest.fixture
def other(app: Flask, large: Integration) -> tuple[int, int]:
    """Another partner's run that waits: tenant and run."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            run = runs.start(factories.integration(app), "new", "schedule", ACTOR)
            db.session.commit()
            return tenant.id, run.id


def test_a_read_gives_way_after_its_turn_and_loses_nothing(
    partner: Tenant,
    large: Integration,
    other: tuple[int, int],
    empty: Sandbox,
    superuser: psycopg.Connection[Any],
) -> None:
    run = sync(large, trigger="schedule")
    assert (run.state, run.error_kind, run.attempts) == ("waiting", "turn", 0)
    assert [key for key in run_lease.due() if key[1] == run.id], "it is due again at once"
    turns = 1
    while runs.get(run.id).state == "waiting":
        perform.perform(run.id)
        turns += 1
    ended = runs.get(run.id)
    assert (ended.state, ended.error, len(rows(Invoice)), ended.items["invoices"]["created"]) == (
        "completed", None, 1001, 1001,
    )  # fmt: skip
    assert 3 <= turns <= 6
    asked = [call for call in empty.calls("Invoices") if call.verb == "query"]
    assert len(asked) <= 3 * turns, "a page is asked for again only where it was read ahead"


def test_nobody_gives_way_to_no_one_nor_at_a_terminal(
    partner: Tenant, large: Integration, superuser: psycopg.Connection[Any]
) -> None:
    assert sync(large, trigger="schedule").state == "completed"


def test_a_person_at_the_terminal_keeps_the_turn(large: Integration, other: tuple[int, int]) -> None:
    assert sync(large, trigger="command").state == "completed"


def test_a_run_of_a_disabled_or_the_same_partner_is_nothing_to_wait_for(
    partner: Tenant, large: Integration, other: tuple[int, int], superuser: psycopg.Connection[Any]
) -> None:
    assert run_lease.others_wait()
    with tenant_scope(other[0]):
        assert not run_lease.others_wait()
    superuser.execute("UPDATE tenant SET disabled_at = now() WHERE id = %s", [other[0]])
    assert not run_lease.others_wait()


def test_lines_of_one_group_are_read_to_their_end_before_anybody_else_comes(
    empty: Sandbox, connect: Any, app: Flask, monkeypatch: pytest.MonkeyPatch, partner: Tenant
) -> None:
    """A group whose turn ended in its middle would be read from its first page in every turn."""
    company = empty.add_company(companyName="Contoso")
    integration = connect(empty)
    assert sync(integration, trigger="schedule").state == "completed"
    for _ in range(2):
        empty.add_invoice(lines=[{"rate": "1.00"}] * 700, companyID=company)
    with app.app_context(), factories.inside(factories.tenant()):
        runs.start(factories.integration(app), "new", "schedule", ACTOR)
        db.session.commit()
    monkeypatch.setattr(current_run, "TURN_SECONDS", 0.0)
    empty.clear_requests()
    run = sync(integration, "new", "schedule")
    for _ in range(12):
        if runs.get(run.id).state == "waiting":
            perform.perform(run.id)
    assert runs.get(run.id).state == "completed"
    assert len(empty.calls("BillingItems")) <= 6, "no page is asked for in every turn anew"
