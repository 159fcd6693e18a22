"""Random Autotask histories: after any run nothing that a full re-read would find is missed, except what comes later.

Now and then the account moves to another zone between two runs.

40 histories in a usual test run; SYNC_HISTORIES=20000 makes a long one. Worlds hold 1 to 20 histories, because a
run costs the same for one as for twenty. A failure names the world's number, which makes it again.
"""

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Integration, Invoice
from portal.sync import perform, runs
from sandbox import Sandbox
from tests import factories
from tests.how_many import how_many
from tests.sync import truth
from tests.sync.conftest import rows, sync
from tests.sync.random_autotask import History

HISTORIES = how_many("SYNC_HISTORIES")
# Worlds are numbered; another seed begins where nobody else plays.
FIRST = 1_000_000 * int(os.environ.get("SEED", "0"))
SIZES = (1, 2, 5, 12, 20)
WORLDS = -(-HISTORIES // sum(SIZES)) * len(SIZES)
SHARES = 4  # so that the workers of a test run share them


@pytest.fixture
def world(app: Any, empty: Sandbox) -> Iterator[Sandbox]:
    with app.app_context():
        yield empty


@pytest.mark.parametrize("share", range(SHARES))
def test_incremental_runs_hold_what_autotask_holds(app: Any, world: Sandbox, share: int) -> None:
    """Rule 3: new ones hourly, changes to unpaid ones daily, lines of open ones weekly, the rest by a full read."""
    for number in range(FIRST + share, FIRST + WORLDS, SHARES):
        start_anew(world)
        histories = begin(world, number)
        with tenant_scope(factories.tenant().id):
            try:
                live_through(connected(app, world), world, histories, Random(number))
            except AssertionError as error:
                raise AssertionError(f"World {number}: {error}") from None


def start_anew(world: Sandbox) -> None:
    for entity in ("BillingItems", "Invoices", "Contacts", "Companies"):
        for row in world.rows(entity):
            world.world.people.remove(entity, row["id"])
    world.clear_usage()


def begin(world: Sandbox, number: int) -> list[History]:
    return [History(world, Random(f"{number}/{each}")) for each in range(SIZES[number % len(SIZES)])]


def connected(app: Any, world: Sandbox) -> Integration:
    return factories.connected_to(world, app, totals_mode="without_tax")


def live_through(integration: Integration, world: Sandbox, histories: list[History], random: Random) -> None:
    """Events and runs in turns; what is held is compared after a day, after a week, and after a full read."""
    sync(integration)
    assert_same(world, histories, truth.Expected(lines="all"))
    for _ in range(random.randint(0, 3)):
        things_happen(histories)
        it_may_move(world, random)
        to_its_end(integration, random.choice(["new", "unpaid"]))
    things_happen(histories)
    closed = closed_here()
    it_may_move(world, random)
    to_its_end(integration, "new")
    assert not truth.not_here(world)
    it_may_move(world, random)
    to_its_end(integration, "unpaid")
    assert_same(world, histories, truth.Expected(lines="sums", later=closed))
    a_week_passes()
    sync(integration, "unpaid", "schedule")
    assert_same(world, histories, truth.Expected(lines="open", later=closed))
    if random.random() < 0.5:
        sync(integration)
        assert_same(world, histories, truth.Expected(lines="all"))


def it_may_move(world: Sandbox, random: Random) -> None:
    """Autotask's own doing between two runs; the old address refuses the login, or answers everything with nothing."""
    world.switches.wrong_zone = random.choice(["401", "empty"])
    if random.random() < 0.3:
        world.move_zone()
        db.session.execute(text("UPDATE call_slot SET held_until = now() WHERE held_until > now()"))
        db.session.commit()


def to_its_end(integration: Integration, kind: str) -> None:
    """A run that found the account elsewhere begins again there, a little later."""
    run = sync(integration, kind, "schedule")
    for _ in range(3):
        if run.state != "waiting":
            break
        db.session.execute(text("UPDATE sync_run SET next_try_at = now() WHERE next_try_at > now()"))
        db.session.commit()
        perform.perform(run.id)
        db.session.commit()
        run = runs.get(run.id)
    assert run.state == "completed", f"a run of {kind} is {run.state}: {run.error}"


def things_happen(histories: list[History]) -> None:
    for history in histories:
        for _ in range(history.random.randint(0, 5)):
            history.goes_on()


def closed_here() -> set[int]:
    """Invoices whose later edits only a full read finds, because they are closed and no field tells of edits."""
    return {row.autotask_id for row in rows(Invoice) if row.autotask_paid_on or row.is_voided}


def a_week_passes() -> None:
    db.session.execute(text("UPDATE invoice SET lines_read_at = lines_read_at - interval '8 days'"))
    db.session.commit()


def assert_same(world: Sandbox, histories: list[History], expected: truth.Expected) -> None:
    differing = truth.differing(world, expected)
    touched = {key for _, key in differing}
    events = [
        each.events for each in histories if touched & {*each.invoices, *each.companies, *each.contacts}
    ]
    assert not differing, f"{differing}\nafter {events}"
