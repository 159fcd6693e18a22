"""Writing is set-based: what a page costs in statements does not depend on how many rows it has."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import event, text

from portal import ledger
from portal.extensions import db
from portal.models import Integration, Invoice
from portal.sync import perform, runs, tables, upsert
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import ACTOR, rows, sync


@contextmanager
def counted() -> Iterator[list[str]]:
    """Statements of the session, COPY among them as one."""
    seen: list[str] = []

    def note(*args: object) -> None:
        seen.append(str(args[2]))

    real: Callable[..., None] = upsert.stage

    def staged(*args: object) -> None:
        seen.append("COPY")
        real(*args)

    event.listen(db.engine, "before_cursor_execute", note)
    upsert.stage = staged  # type: ignore[assignment]
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
        upsert.stage = real


def fill(empty: Sandbox, number: int) -> list[int]:
    """So many invoices of as many customers, two lines each; every third is paid, and one of each ten is voided."""
    keys = []
    for each in range(number):
        company = empty.add_company(companyName=f"Company {each}")
        empty.add_contact(companyID=company)
        lines = [{"rate": "10.00"}, {"rate": "5.00"}]
        paid = {"paidDate": date(2026, 11, 3)} if each % 3 == 0 else {}
        keys.append(empty.add_invoice(companyID=company, lines=lines, isVoided=each % 10 == 9, **paid))
    return keys


def costs(empty: Sandbox, integration: Integration, number: int) -> dict[str, int]:
    """Statements of a first read, of reading again, and of a read in which everything has changed."""
    found = {}
    keys = fill(empty, number)
    with counted() as seen:
        assert sync(integration).items["invoices"]["created"] == number
    found["first"] = len(seen)
    with counted() as seen:
        assert sync(integration).items["invoices"]["unchanged"] == number
    found["again"] = len(seen)
    for key in keys:
        empty.change_invoice(key, invoiceTotal="99.00", paidDate=date(2026, 11, 4))
        empty.remove_line(empty.lines(key)[0]["id"])
        empty.add_line(invoiceID=key, rate="7.00")
    with counted() as seen:
        run = sync(integration)
    assert run.items["invoices"]["changed"] == number
    found["changed"] = len(seen)
    return found


def test_a_page_costs_as_many_statements_with_ten_rows_as_with_eighty(
    app, empty: Sandbox, connect, partner
) -> None:
    few = costs(empty, connect(empty), 10)
    with Sandbox(customers=0, invoices=0) as other:
        app.config["AUTOTASK_DISCOVERY_URL"] = other.discovery_url
        with factories.inside(factories.tenant()):
            many = costs(other, connect(other), 80)
    assert few == many


@pytest.mark.parametrize("mode", ["with_tax", "without_tax"])
def test_a_new_invoice_is_written_as_the_ledger_would_restate_it(
    empty: Sandbox, connect, superuser, mode: str
) -> None:
    """Rule 4.2: what Autotask settled stands in the row at once; restating it finds nothing to change."""
    fill(empty, 30)
    company = empty.add_company(companyName="Credits")
    for total in ("-20.00", "0.00"):
        empty.add_invoice(companyID=company, invoiceTotal=total, paidDate=date(2026, 11, 3))
    sync(connect(empty, totals_mode=mode))
    written = (
        "SELECT id, xmin::text FROM invoice UNION ALL SELECT id, xmin::text FROM settlement ORDER BY 1, 2"
    )
    before = superuser.execute(written).fetchall()

    ledger.restate([row.id for row in rows(Invoice)])
    db.session.commit()

    assert superuser.execute(written).fetchall() == before
    assert db.session.scalar(text("SELECT count(*) FROM settlement WHERE removed_at IS NULL")) > 5


def test_a_first_read_compares_nothing_and_looks_for_no_removed_lines(empty: Sandbox, connect) -> None:
    """What lies above all that is here is new."""
    integration = connect(empty)
    fill(empty, 30)
    with counted() as seen:
        sync(integration)
    assert [one for one in seen if "FOR UPDATE OF t" in one or "DELETE FROM invoice_line" in one] == []

    with counted() as seen:
        run = sync(integration)
    assert len([one for one in seen if "FOR UPDATE OF t" in one]) == 4  # customers, contacts, invoices, lines
    assert run.items["invoices"]["unchanged"] == 30


def test_a_row_that_was_taken_for_new_and_is_here_is_compared_after_all(
    empty: Sandbox, connect, monkeypatch
) -> None:
    keys = fill(empty, 12)
    integration = connect(empty)
    sync(integration)
    empty.change_invoice(keys[3], invoiceTotal="99.00")
    for table in (tables.INVOICE, tables.LINE):
        monkeypatch.setitem(vars(table), "highest", text("SELECT -1"))

    run = sync(integration)

    counted = run.items["invoices"]
    assert (counted["created"], counted["changed"], counted["unchanged"]) == (0, 1, 11)
    assert (run.items["line_items"]["created"], run.items["line_items"]["unchanged"]) == (0, 24)
    assert len(rows(Invoice)) == 12


def test_a_savepoint_does_not_say_again_whose_rows_are_shown(partner) -> None:
    with counted() as seen:
        db.session.execute(text("SELECT 1"))
        with db.session.begin_nested():
            db.session.execute(text("SELECT 2"))
    assert len([one for one in seen if "app.tenant_id" in one]) == 1
    db.session.rollback()


@pytest.mark.sandbox(customers=20, invoices=60)
def test_a_quiet_hour_costs_three_requests_and_few_statements(sandbox: Sandbox, connect) -> None:
    """Claimed, three endpoints asked, cursors moved: each statement more is paid by every partner every hour."""
    integration = connect(sandbox)
    sync(integration)
    run_id = runs.start(integration, "new", "schedule", ACTOR).id
    db.session.commit()
    db.session.expunge_all()  # a worker that takes it up has read nothing before
    with counted() as seen:
        perform.perform(run_id)
    assert (runs.get(run_id).state, runs.get(run_id).api_calls) == ("completed", 3)
    assert len(seen) <= 20, seen
