"""Random histories on a real database: payments, edits on both sides, lost workers, lost answers, late writes, moves.

HISTORIES=20000 plays more, SEED=1 others. A failing one is printed as the events that lead to it; with SHORTEN=1, as few of
them as possible.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from portal import clock, queue
from portal.access import audit
from portal.access.tenancy import tenant_scope
from portal.autotask import zones
from portal.connect import calls
from portal.extensions import db
from portal.sync import runs
from tests import factories
from tests.faults.machine import Histories, World
from tests.fixtures.database import Emptying
from tests.how_many import how_many

HISTORIES = how_many("HISTORIES")
SEED = int(os.environ.get("SEED", "0"))
SHARES = 4  # among the workers of a test run
EVENTS_EACH = 8
SHORTEN = bool(os.environ.get("SHORTEN"))
# With triggers off, what a trigger keeps beside a kept table stays only if it is named here too.
KEPT = {"tenant", "integration", "integration_status", "customer", "sync_run", "audit_event", "audit_head"}


@pytest.fixture
def world(
    app: Flask,
    superuser: psycopg.Connection,
    superuser_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A partner with a customer, whose bells and clock are in the histories' hands."""
    rows = Emptying(superuser_url, redis_url)
    rows.tables = [name for name in rows.tables if name.removeprefix("public.") not in KEPT]
    with app.app_context(), tenant_scope(factories.tenant().id):
        integration = factories.integration(app, totals_mode="without_tax")
        run = runs.start(integration, "all", "command", factories.ACTOR)
        db.session.commit()
        made = World(integration, factories.customer(integration), run.id, superuser, rows.delete)
        db.session.expunge_all()  # what is shared stays as it is
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(hours=made.hours_off))
        monkeypatch.setattr(queue, "bell", lambda *_: _rings(made))
        monkeypatch.setattr(calls, "open_client", made.there.open)
        monkeypatch.setattr(zones, "discover", made.there.discover)
        yield made
    rows.close()


def _rings(world: World) -> bool:
    assert not db.session().in_transaction(), "a bell rings after the commit"
    world.bells.append(1)
    return True


@pytest.mark.parametrize("share", range(SHARES))
def test_every_history_ends_right(world: World, share: int):
    """Pay, edit, delete, Autotask's own edits, sync pages, kills, clock steps, Redis wiped."""

    @seed(f"{SEED} {share}")
    class Mine(Histories):
        pass

    Mine.world = world
    some: Any = settings(
        max_examples=max(HISTORIES // SHARES, 1),
        stateful_step_count=EVENTS_EACH,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate, *([Phase.shrink] if SHORTEN else [])],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Mine, settings=some)
    assert audit.first_break() is None
