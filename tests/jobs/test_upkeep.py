"""Regular duties are done by whoever comes first, the poller or a bell: once, and also without rq-scheduler."""

import threading
from datetime import timedelta

from sqlalchemy import text, update

from jobs import poll, tick_jobs, upkeep
from jobs.poll import Poller
from jobs.upkeep import Duty
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Integration, SyncKind, SyncSchedule, Upkeep
from tests import factories


def passes(app, **ago: timedelta) -> None:
    """As if every duty had been begun or done so long ago."""
    with app.app_context():
        values = {
            name: text(f"clock_timestamp() - interval '{span.total_seconds()} s'")
            for name, span in ago.items()
        }
        db.session.execute(update(Upkeep).values(values))
        db.session.commit()


def test_a_duty_is_done_once_in_its_time(app):
    done: list[int] = []
    duty = Duty("once", timedelta(hours=1), lambda: done.append(1))
    with app.app_context():
        assert upkeep.do_due((duty,)) == ["once"]
        assert upkeep.do_due((duty,)) == []
    passes(app, done_at=timedelta(minutes=61), begun_at=timedelta(minutes=61))
    with app.app_context():
        assert upkeep.do_due((duty,)) == ["once"]
    assert len(done) == 2


def test_two_at_once_do_not_both_do_it(app):
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        go_on.wait(30)
        done.append(1)

    duty = Duty("slow", timedelta(hours=1), work)

    def first() -> None:
        with app.app_context():
            upkeep.do_due((duty,))

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(30)
    with app.app_context():
        assert upkeep.do_due((duty,)) == []
    go_on.set()
    thread.join()
    assert done == [1]


def test_what_was_begun_and_never_ended_is_begun_again(app):
    duty = Duty("broken off", timedelta(hours=1), lambda: False)
    with app.app_context():
        assert upkeep.do_due((duty,)) == []
        assert not upkeep.begin(duty)
    passes(app, begun_at=upkeep.PATIENCE + timedelta(seconds=1))
    with app.app_context():
        assert upkeep.begin(duty)


def test_the_poller_and_the_bell_both_mend_schedules(app):
    """A partner whose weekly read of customers is missing from the schedule gets it back either way."""
    ways = {"poller": lambda: look_around(app), "bell": lambda: ring(app)}
    for name, way in ways.items():
        with app.app_context():
            partner = factories.tenant(name)
            with tenant_scope(partner.id):
                integration = factories.integration(app)
                hourly(integration)
            number = partner.id
        way()
        with app.app_context(), tenant_scope(number):
            kinds = set(
                db.session.scalars(db.select(SyncSchedule.kind).where(SyncSchedule.tenant_id == number))
            )
            assert SyncKind.CUSTOMERS in kinds, name
        passes(app, done_at=timedelta(days=2), begun_at=timedelta(days=2))


def hourly(integration: Integration) -> None:
    row = SyncSchedule(
        tenant_id=integration.tenant_id,
        integration_id=integration.id,
        kind=SyncKind.NEW,
        next_due_at=db.func.now() + timedelta(hours=1),
    )
    db.session.add(row)
    db.session.commit()


def look_around(app) -> None:
    (watch,) = [one for one in poll.watches() if one.name == "upkeep"]
    poller = Poller(app, [watch])
    poller.look_around()
    for thread in poller.running.values():
        thread.join(20)


def ring(app) -> None:
    with app.app_context():
        tick_jobs.upkeep()
