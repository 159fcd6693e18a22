"""Due by the clock: own minute and hour, one run to catch up, nights with a change of daylight saving."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.connect import sync_minutes as planning
from portal.extensions import db
from portal.models import SCHEDULED, Integration, SyncKind, SyncRun, SyncSchedule
from portal.sync import due_runs, manual, promises, runs
from tests.sync.conftest import ACTOR, one, rows, sync

CHANGES = [  # Europe and America, spring and autumn of 2026
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def planned(connect, sandbox) -> Integration:
    """An integration whose schedule was made at noon: minute 7, hour 3."""
    integration = connect(sandbox)
    for kind in SCHEDULED:
        due = planning.next_due(integration, kind, NOW)
        db.session.add(
            SyncSchedule(
                tenant_id=integration.tenant_id, integration_id=integration.id, kind=kind, next_due_at=due
            )
        )
    db.session.commit()
    return integration


def kinds_started(now: datetime) -> list[str]:
    return sorted(runs.get(run_id).kind for _, run_id in due_runs.create_due(now))


def test_what_is_due_starts_at_the_partners_own_minute(planned: Integration) -> None:
    """Rule 3.1."""
    assert kinds_started(NOW + timedelta(minutes=6)) == []
    assert kinds_started(NOW + timedelta(minutes=7)) == ["new"]
    assert kinds_started(NOW + timedelta(minutes=17)) == ["pdfs"]
    assert kinds_started(NOW + timedelta(minutes=18)) == []


def test_a_day_of_downtime_costs_one_run_of_each_kind(planned: Integration) -> None:
    """Rule 3.1 and promise P13."""
    assert kinds_started(NOW + timedelta(hours=24, minutes=30)) == ["new", "pdfs", "unpaid"]
    assert kinds_started(NOW + timedelta(hours=24, minutes=31)) == []
    assert one(SyncSchedule, kind="new").next_due_at == NOW + timedelta(hours=25, minutes=7)


def test_a_run_still_under_way_is_not_started_again(planned: Integration) -> None:
    """Rule 3.2."""
    kinds_started(NOW + timedelta(minutes=7))
    assert kinds_started(NOW + timedelta(minutes=67)) == ["pdfs"]
    assert len(rows(SyncRun, kind="new")) == 1
    assert one(SyncSchedule, kind="new").next_due_at == NOW + timedelta(minutes=127)


def test_an_integration_that_needs_reconnecting_is_left_alone_and_catches_up(planned: Integration) -> None:
    """Rule 1.8."""
    planned.state = "needs_reconnecting"
    db.session.commit()
    assert kinds_started(NOW + timedelta(hours=3)) == []
    planned.state = "connected"
    db.session.commit()
    assert kinds_started(NOW + timedelta(hours=3, minutes=1)) == ["new", "pdfs"]


def test_a_due_time_makes_one_run_however_often_it_is_asked_for(planned: Integration) -> None:
    """Crash point S0: the run and the moved due time are one transaction; a second tick finds neither."""
    due = one(SyncSchedule, kind="new").next_due_at
    first = runs.start(planned, SyncKind.NEW, "schedule", ACTOR, due_at=due)
    db.session.commit()
    from portal.sync import perform

    perform.perform(first.id)
    again = runs.start(planned, SyncKind.NEW, "schedule", ACTOR, due_at=due)
    assert again.id == first.id


@pytest.mark.parametrize("change", CHANGES)
@given(minute=st.integers(0, 59), hour=st.integers(0, 23))
def test_a_night_with_a_change_of_daylight_saving_is_like_all_others(
    change: datetime, minute: int, hour: int
) -> None:
    """Crash point S13: 24 hourly runs a day and one daily, none missed and none doubled."""
    integration = Integration(sync_minute=minute, sync_hour=hour)
    start, end = change - timedelta(days=1), change + timedelta(days=1)
    for kind, wanted in ((SyncKind.NEW, 48), (SyncKind.PDFS, 48), (SyncKind.UNPAID, 2)):
        found, at = Counter(), start
        while (at := planning.next_due(integration, kind, at)) <= end:
            found[at] += 1
        assert len(found) == wanted
        assert set(found.values()) <= {1}


def test_all_customers_are_read_completely_once_a_week(planned: Integration) -> None:
    due = one(SyncSchedule, kind="customers").next_due_at
    assert due - NOW > timedelta(days=6)
    assert timedelta(days=6) < planning.next_due(planned, SyncKind.CUSTOMERS, due) - due <= timedelta(days=7)


def test_a_schedule_that_lacks_a_kind_is_completed_and_one_that_was_never_begun_is_not(
    planned: Integration,
) -> None:
    db.session.delete(one(SyncSchedule, kind="customers"))
    db.session.commit()
    due_runs.ensure(planned)
    db.session.commit()
    assert {row.kind for row in rows(SyncSchedule)} == set(SCHEDULED)
    planning.clear(planned)
    due_runs.ensure(planned)
    db.session.commit()
    assert rows(SyncSchedule) == []


def test_partners_are_spread_over_the_hour() -> None:
    """Rule 3.1."""
    minutes = Counter(planning.own_time(tenant_id)[0] for tenant_id in range(1, 601))
    assert len(minutes) == 60
    assert max(minutes.values()) < 30


def test_the_promises_say_what_is_late_and_by_how_much(planned: Integration) -> None:
    sync(planned)
    on_time = promises.table(planned, NOW + timedelta(minutes=5))
    assert promises.sentence(on_time, planned) == "Nothing is late. Not here yet: PDF invoices."
    all_here = [one for one in on_time if not one.is_to_come]
    assert promises.sentence(all_here, planned) == "Up to date: everything arrived when promised."

    late = {row.item: row for row in promises.table(planned, NOW + timedelta(hours=2, minutes=7))}

    assert late["New invoices"].late_by == timedelta(hours=2)
    assert late["Changes to unpaid invoices"].late_by is None
    assert late["Deposits"].state == "never"


@pytest.mark.parametrize(
    ("values", "state", "payments", "words"),
    [
        (
            {"state": "needs_reconnecting"},
            "waits_for_login",
            "waits_for_login",
            "Autotask refuses the key and secret",
        ),
        ({"state": "disconnected"}, "disconnected", "disconnected", "Autotask is disconnected"),
        (
            {"paused_until": NOW + timedelta(hours=2)},
            "postponed",
            "up_to_date",
            "The hourly budget is nearly used",
        ),
    ],
)
def test_the_promises_say_why_nothing_is_read(planned: Integration, values, state, payments, words) -> None:
    """Rules 1.8 and 3.6: never "up to date" while nothing can arrive; how late it is stands beside."""
    sync(planned)
    for name, value in values.items():
        setattr(planned, name, value)
    db.session.commit()
    now = NOW + timedelta(minutes=67)

    table = promises.table(planned, now)

    found = {row.item: row for row in table}
    assert (found["New invoices"].state, found["Payments"].state) == (state, payments)
    assert found["Deposits"].state == "never"
    assert found["New invoices"].late_by == timedelta(hours=1)
    sentence = promises.sentence(table, planned, now)
    assert sentence.startswith(words)
    assert "Late: new invoices, line items, customers and contacts, PDF invoices." in sentence
    assert "Up to date" not in sentence


def test_before_filters_are_chosen_nothing_is_due_and_the_promises_say_so(connect, sandbox) -> None:
    """Rule 2.1: days pass, the schedule is put back hour by hour, and still nothing is read."""
    integration = connect(sandbox)
    for hours in range(72):
        due_runs.keep_up()
        assert kinds_started(NOW + timedelta(hours=hours)) == []

    table = promises.table(integration, NOW)

    with pytest.raises(manual.Refused, match="Choose filters or start the first sync"):
        manual.press(integration, "new", "button", ACTOR)
    assert rows(SyncRun) == rows(SyncSchedule) == []
    assert {row.state for row in table} == {"waits_for_filters", "up_to_date", "never"}
    assert promises.sentence(table, integration).startswith("Nothing was read yet: the first sync waits")
