"""Crash points S1 to S14: a worker killed at any moment costs at most one page, and nothing twice."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Delivery, ExceptionItem, Integration, Invoice, InvoiceLine, SyncCursor, SyncRun
from portal.sync import perform, runs
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import ACTOR, one, rows, sync

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.faults

# The child kills itself, as the system would, when the named function is reached for the nth time.
CHILD = """
import json, os, signal, sys
told = json.loads(sys.argv[1])
import importlib
from wsgi import app
from portal.access.tenancy import tenant_scope
from portal.sync import perform
app.config["AUTOTASK_DISCOVERY_URL"] = told["discovery"]
module = importlib.import_module(told["module"])
holder = getattr(module, told["holder"]) if told["holder"] else module
real, seen = getattr(holder, told["name"]), []

def die(*args, **named):
    seen.append(1)
    if len(seen) == told["nth"] and not told["after"]:
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **named)
    if len(seen) == told["nth"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(holder, told["name"], die)
with app.app_context(), tenant_scope(told["tenant"]):
    perform.perform(told["run"])
"""

# (what, module, class or "", function, nth call, after it instead of before)
POINTS = [
    ("S1 claimed, before the first call", "portal.sync.perform", "", "_work", 1, False),
    ("S3 a page parsed, not written", "portal.sync.invoices", "", "_write", 2, False),
    ("S4 a page written, not committed", "portal.sync.current_run", "Running", "save", 9, False),
    ("S5 between two pages", "portal.sync.current_run", "Running", "save", 9, True),
    ("S5 among the lines", "portal.sync.lines", "", "_write_page", 2, True),
    ("S9 all read, no verdict yet", "portal.sync.missing", "", "judge", 3, False),
    ("S9 all done, not completed", "portal.sync.completion", "", "move_cursors", 1, True),
]


@pytest.fixture
def many(empty: Sandbox) -> Sandbox:
    """Two customers, 1,100 invoices with a line each: three pages of invoices."""
    companies = [empty.add_company(companyName=f"Company {number}") for number in range(2)]
    for number in range(1100):
        empty.add_invoice(
            companyID=companies[number % 2], invoiceNumber=f"I-{number}", lines=[{"rate": "10"}]
        )
    return empty


@pytest.fixture
def killed(app: Flask, environment: dict[str, str], python: Path) -> Callable[..., int]:
    """Runs a sync in a process of its own that dies at a point; its return code."""

    def run(
        sandbox: Sandbox, tenant: int, run_id: int, module: str, holder: str, name: str, nth: int, after: bool
    ) -> int:
        told = {
            "discovery": sandbox.discovery_url, "tenant": tenant, "run": run_id, "module": module,
            "holder": holder, "name": name, "nth": nth, "after": after,
        }  # fmt: skip
        command = [str(python), "-c", CHILD, json.dumps(told)]
        environ = os.environ | environment
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode > 128, done.stderr
        return 128 - done.returncode

    return run


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point[0])
def test_a_killed_worker_loses_and_doubles_nothing(many: Sandbox, connect, killed, superuser, point) -> None:
    """Rule 3.3: afterwards all is as if nothing had happened, and what was committed is not read again."""
    integration = connect(many)
    run = runs.start(integration, "all", "button", ACTOR)
    db.session.commit()

    code = killed(many, integration.tenant_id, run.id, *point[1:])

    assert code == -signal.SIGKILL
    assert [cursor for cursor in rows(SyncCursor) if cursor.completed_at] == []
    already = one(SyncRun).progress_done
    superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second'")
    many.clear_requests()
    assert perform.perform(run.id)
    ended = one(SyncRun)
    assert ended.state == "completed"
    assert (len(rows(Invoice)), len(rows(InvoiceLine))) == (1100, 1100)
    assert ended.items["invoices"]["created"] == 1100
    assert ended.items["line_items"]["created"] == 1100
    pages = [call for call in many.requests if call.verb in ("query", "next") and call.entity != "Currencies"]
    assert len(pages) <= 2 + 3 + 3 - already // 500 + 2


def test_a_record_that_kills_its_worker_three_times_is_put_aside_and_told(
    empty: Sandbox, connect, killed, superuser
) -> None:
    """Nobody works on it for ever: people see an exception, and the next run is a run like any other."""
    empty.add_invoice(companyID=empty.add_company(companyName="Contoso"), invoiceNumber="I-1")
    integration = connect(empty)
    run = runs.start(integration, "all", "button", ACTOR)
    db.session.commit()
    for _ in range(3):
        assert killed(empty, integration.tenant_id, run.id, *POINTS[0][1:]) == -signal.SIGKILL
        superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second'")

    assert not perform.perform(run.id)

    assert (one(SyncRun).state, one(SyncRun).error_kind) == ("failed", "stale")
    told = one(ExceptionItem)
    assert (told.cause, told.state, told.run_id) == ("sync_failed", "open", run.id)
    assert "stopped three times" in told.detail
    assert sync(integration).state == "completed"
    assert one(ExceptionItem).state != "open"


def test_a_page_cut_off_on_the_way_leaves_nothing_of_itself(many: Sandbox, connect, monkeypatch) -> None:
    """Crash point S2."""
    monkeypatch.setattr("portal.sync.perform.SHORT_PAUSES", ())
    many.faults.add("F6", entity="Invoices", verb="next", times=0)

    run = sync(connect(many))

    assert run.state == "failed"
    assert len(rows(Invoice)) == 500


def test_rows_added_while_reading_come_in_now_or_with_the_next_run(
    many: Sandbox, connect, monkeypatch
) -> None:
    """Crash point S6."""
    from portal.sync import invoices

    real, added = invoices._write, []

    def meanwhile(running, page):
        if not added:
            company = many.rows("Companies")[-1]["id"]
            added.append(many.add_invoice(companyID=company, invoiceTotal="1.00"))
        real(running, page)

    monkeypatch.setattr(invoices, "_write", meanwhile)
    integration = connect(many)
    sync(integration)
    sync(integration, "new", "schedule")

    assert len(rows(Invoice, autotask_id=added[0])) == 1


def test_a_row_edited_after_it_was_read_is_mended_by_the_next_sweep(many: Sandbox, connect) -> None:
    """Crash point S7."""
    integration = connect(many)
    sync(integration)
    key = many.rows("Invoices")[0]["id"]
    many.change_invoice(key, paidDate=date(2026, 11, 20))
    sync(integration, "unpaid", "schedule")
    assert one(Invoice, autotask_id=key).status == "paid"


def test_payments_and_pages_that_meet_neither_deadlock_nor_lose_an_update(
    app: Flask, empty: Sandbox, connect
) -> None:
    """Crash point S11: every writer locks invoices in the order of their ids."""
    company = empty.add_company(companyName="Contoso")
    keys = [empty.add_invoice(companyID=company, invoiceTotal="100.00") for _ in range(12)]
    integration = connect(empty)
    sync(integration)
    tenant_id, faults = integration.tenant_id, []

    def pay() -> None:
        try:
            with app.app_context(), tenant_scope(tenant_id):
                for row in reversed(rows(Invoice)):
                    factories.payment((row, "40.00"))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=pay) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(4):
        for key in keys:
            empty.change_invoice(key, dueDate=date(2026, 12, turn + 1))
        assert sync(integration, "unpaid", "schedule").state == "completed"
    for thread in threads:
        thread.join(60)

    assert faults == []
    assert {row.paid_amount for row in rows(Invoice)} == {Decimal(80)}
    assert {row.due_on for row in rows(Invoice)} == {date(2026, 12, 4)}


def test_the_echo_of_our_own_paid_date_changes_nothing(empty: Sandbox, connect) -> None:
    """Crash point S14: what the portal wrote comes back, and is neither sent again nor settled."""
    from portal.reconcile import deliver

    company = empty.add_company(companyName="Contoso")
    empty.add_invoice(companyID=company, invoiceTotal="5.00")
    empty.add_invoice(companyID=company, invoiceTotal="100.00")
    integration = connect(empty)
    sync(integration)
    row = one(Invoice, amount_due=Decimal(100))
    factories.payment((row, "100.00"), on=date(2026, 11, 19))
    deliver.deliver_due()
    assert one(Delivery).state == "confirmed"
    version = one(Delivery).wish_version

    for kind in ("unpaid", "new", "all"):
        sync(integration, kind, "schedule")
    deliver.deliver_due()

    assert len([call for call in empty.requests if call.method == "PATCH"]) == 1
    paid = one(Invoice, id=row.id)
    assert (paid.paid_amount, paid.settled_amount, paid.agreement) == (Decimal(100), Decimal(0), "agrees")
    assert one(Delivery).wish_version == version


def test_disconnecting_stops_a_waiting_run_before_its_first_call(empty: Sandbox, connect) -> None:
    """Crash point S12."""
    from portal import connect as connecting

    integration = connect(empty)
    run = runs.start(integration, "all", "button", ACTOR)
    db.session.commit()
    connecting.disconnect(ACTOR, one(Integration))
    db.session.commit()

    perform.perform(run.id)

    assert one(SyncRun).state in ("failed", "cancelled")
    assert empty.requests == []
