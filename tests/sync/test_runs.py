"""The life of a run: one at a time, leases, taking up again, cancelling, ending as stale (rule 3.2)."""

import threading

import pytest
from flask import Flask

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import ExceptionItem, Integration, Invoice, SyncCursor, SyncRun
from portal.sync import manual, perform, run_lease, runs
from sandbox import Sandbox
from tests.sync.conftest import ACTOR, one, planned, rows, sync


@pytest.fixture
def integration(connect, sandbox: Sandbox) -> Integration:
    return planned(connect(sandbox))


def waiting(integration: Integration, kind: str = "all") -> SyncRun:
    run = runs.start(integration, kind, "button", ACTOR)
    db.session.commit()
    return run


def test_starting_twice_gives_the_incomplete_run(integration: Integration) -> None:
    assert waiting(integration).id == waiting(integration).id


def test_two_presses_at_once_start_one_run(app: Flask, integration: Integration) -> None:
    """Rule 3.5, over two connections at the same time."""
    tenant_id, found, barrier = integration.tenant_id, [], threading.Barrier(4)

    def press() -> None:
        with app.app_context(), tenant_scope(tenant_id):
            mine = db.session.get_one(Integration, (tenant_id, integration.id))
            barrier.wait()
            found.append(manual.press(mine, "unpaid", "button", ACTOR).id)
            db.session.commit()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 4
    assert len(set(found)) == len(rows(SyncRun)) == 1


def test_a_retry_is_no_new_start(integration: Integration) -> None:
    """Rule 3.5."""
    first = manual.press(integration, "new", "button", ACTOR)
    db.session.commit()
    next_at = manual.next_allowed_at(integration, "new")
    runs.cancel(ACTOR, first)
    again = runs.retry(ACTOR, first)
    db.session.commit()
    assert again.trigger == "retry"
    assert manual.next_allowed_at(integration, "new") == next_at


def test_only_one_worker_gets_a_run(integration: Integration) -> None:
    run = waiting(integration)
    assert run_lease.claim(run.id) is not None
    assert run_lease.claim(run.id) is None


def test_a_second_run_of_the_integration_waits_for_the_first_but_pdfs_do_not(
    integration: Integration,
) -> None:
    run_lease.claim(waiting(integration, "all").id)
    assert run_lease.claim(waiting(integration, "unpaid").id) is None
    assert run_lease.claim(waiting(integration, "pdfs").id) is not None


def test_a_run_whose_worker_died_is_taken_up_again(integration: Integration, superuser) -> None:
    """Crash points S1 and S5."""
    run = waiting(integration)
    run_lease.claim(run.id)
    assert (integration.tenant_id, run.id) not in run_lease.due()
    superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second'")

    assert (integration.tenant_id, run.id) in run_lease.due()
    assert perform.perform(run.id)
    assert runs.get(run.id).state == "completed"


def test_who_asked_a_run_to_stop_before_its_worker_died_is_heard_before_the_next_call(
    integration: Integration, sandbox: Sandbox, superuser
) -> None:
    perform.perform(waiting(integration, "all").id)
    run = waiting(integration, "new")
    run_lease.claim(run.id)
    superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second' WHERE state = 'running'")
    runs.cancel(ACTOR, runs.get(run.id))
    db.session.commit()
    before = len(sandbox.requests)

    assert perform.perform(run.id)

    assert (runs.get(run.id).state, len(sandbox.requests)) == ("cancelled", before)


def test_a_run_that_kills_its_worker_three_times_ends_as_stale(integration: Integration, superuser) -> None:
    """Rule 3.2: never "running" for ever."""
    run = waiting(integration)
    for _ in range(4):
        run_lease.claim(run.id)
        superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second'")
    ended = one(SyncRun)
    assert (ended.state, ended.error_kind) == ("failed", "stale")
    assert "stopped three times" in ended.error


def test_a_worker_that_lost_its_lease_writes_nothing_more(
    integration: Integration, superuser, monkeypatch
) -> None:
    """Crash point S5: the page is rolled back together with the lease check."""
    run = waiting(integration)
    from portal.sync import invoices

    real = invoices.customers.known_or_read

    def overtaken(*args, **named):
        superuser.execute("UPDATE sync_run SET lease_token = 'somebody else'")
        return real(*args, **named)

    monkeypatch.setattr(invoices.customers, "known_or_read", overtaken)
    perform.perform(run.id)

    assert rows(Invoice) == []
    assert one(SyncRun).state == "running"


def test_cancelling_stops_after_the_page_and_keeps_what_was_read(
    integration: Integration, monkeypatch
) -> None:
    run = waiting(integration)
    from portal.sync import read_pages

    real = read_pages.count_all

    def cancel_now(running, client, wanted):
        runs.cancel(ACTOR, runs.get(run.id))
        db.session.commit()
        return real(running, client, wanted)

    monkeypatch.setattr(read_pages, "count_all", cancel_now)
    perform.perform(run.id)

    assert one(SyncRun).state == "cancelled"
    assert rows(SyncCursor, resource="invoices") == []


def test_a_failed_run_moves_no_cursor_and_the_next_one_reads_everything(
    integration: Integration, sandbox: Sandbox
) -> None:
    """Rule 3.3: the cursor moves last."""
    sandbox.forbid("BillingItems")
    failed = sync(integration)
    assert failed.state == "failed"
    assert [cursor for cursor in rows(SyncCursor) if cursor.completed_at] == []
    assert "BillingItems" in failed.error

    sandbox.allow()
    done = sync(integration, "new", "schedule")

    assert done.items["line_items"]["created"] == sandbox.count("BillingItems") - released(sandbox)


def released(sandbox: Sandbox) -> int:
    return sum(not row["invoiceID"] for row in sandbox.rows("BillingItems"))


def test_a_failed_run_is_an_exception_that_closes_with_the_next_good_one(
    integration: Integration, sandbox: Sandbox
) -> None:
    """Rule 3.4."""
    sandbox.forbid("Invoices")
    sync(integration, "unpaid", "schedule")
    assert [item.label for item in rows(ExceptionItem, state="open")] == ["Sync failed: Unpaid invoices"]
    sandbox.allow()
    sync(integration, "unpaid", "schedule")
    assert rows(ExceptionItem, state="open") == []


def test_an_autotask_that_is_away_for_a_while_is_waited_for(
    integration: Integration, sandbox: Sandbox, superuser
) -> None:
    """Crash point S2: paused with its cause, then taken up where it stopped; waiting is no exception."""
    sandbox.refuse_connections()
    run = waiting(integration)
    perform.perform(run.id)
    paused = one(SyncRun)
    assert paused.state == "waiting"
    assert paused.error
    assert rows(ExceptionItem) == []

    sandbox.accept_connections()
    superuser.execute("UPDATE sync_run SET next_try_at = now()")
    perform.perform(run.id)

    assert one(SyncRun).state == "completed"


def test_a_used_up_budget_postpones_the_run_and_says_so(
    integration: Integration, sandbox: Sandbox, superuser
) -> None:
    """Rule 3.6: reading stops at 75 % and goes on by itself."""
    sandbox.add_other_usage(7_600)
    run = waiting(integration)
    perform.perform(run.id)
    assert (one(SyncRun).state, one(SyncRun).error_kind) == ("waiting", "budget")
    assert "7,6" in one(SyncRun).error
    assert sandbox.calls("Companies") == []

    sandbox.clear_usage()
    superuser.execute(
        "UPDATE sync_run SET next_try_at = now(); UPDATE integration SET paused_until = NULL, usage_read_at = NULL"
    )
    perform.perform(run.id)
    assert one(SyncRun).state == "completed"


def test_a_refused_login_ends_the_run_after_one_second_try(
    integration: Integration, sandbox: Sandbox
) -> None:
    """Rule 1.8, crash point S12."""
    sandbox.change_secret("other")
    run = sync(integration)
    assert (run.state, run.error_kind) == ("failed", "not_connected")
    assert one(Integration).state == "needs_reconnecting"
    assert sum(call.status == 401 for call in sandbox.requests) <= 2
    sandbox.clear_requests()
    assert sync(integration, "unpaid").state == "failed"
    assert sandbox.requests == []


def test_a_moved_zone_is_followed_in_the_middle_of_nothing_lost(
    integration: Integration, sandbox: Sandbox
) -> None:
    """Rule 1.8, crash point S12."""
    sandbox.move_zone()
    run = sync(integration)
    assert run.state == "completed"
    assert len(rows(Invoice)) == sandbox.count("Invoices")
