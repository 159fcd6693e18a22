"""The daily read of unpaid invoices, and what it finds beside them (rule 3, changes to unpaid invoices)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from portal.extensions import db
from portal.models import Delivery, ExceptionItem, Integration, Invoice, InvoiceLine, Settlement
from portal.sync import cursors
from sandbox import Sandbox
from tests import factories
from tests.sync.conftest import changes, one, rows, sync


@pytest.fixture
def company(empty: Sandbox) -> int:
    return empty.add_company(companyName="Contoso")


@pytest.fixture
def unpaid(empty: Sandbox, company: int, connect) -> tuple[Integration, int]:
    """A synced unpaid invoice of 100.00 with one line; a second one keeps the read from being empty."""
    empty.add_invoice(companyID=company, invoiceNumber="OTHER", lines=[{"rate": "5.00"}])
    key = empty.add_invoice(
        companyID=company, invoiceNumber="INV-1", dueDate=date(2026, 12, 1), lines=[{"rate": "100.00"}]
    )
    integration = connect(empty)
    sync(integration)
    return integration, key


def invoice(key: int) -> Invoice:
    return one(Invoice, autotask_id=key)


def daily(integration: Integration):
    return sync(integration, "unpaid", "schedule")


def test_a_raised_total_and_a_moved_due_date_come_in_with_old_and_new_value(unpaid, empty: Sandbox) -> None:
    """Rule 3.2."""
    integration, key = unpaid
    empty.change_invoice(key, invoiceTotal="120.50", dueDate=date(2026, 12, 15))

    found = changes(daily(integration))

    assert found["INV-1", "Amount due"] == ("100.00", "120.50")
    assert found["INV-1", "Outstanding"] == ("100.00", "120.50")
    assert found["INV-1", "Due date"] == ("2026-12-01", "2026-12-15")
    assert invoice(key).outstanding == Decimal("120.50")


def test_an_invoice_paid_in_autotask_is_found_by_its_id_and_settled(unpaid, empty: Sandbox) -> None:
    """Rules 4.2 and 5.9."""
    integration, key = unpaid
    empty.change_invoice(key, paidDate=date(2026, 11, 20))

    daily(integration)

    row = invoice(key)
    assert (row.status, row.autotask_paid_on, row.settled_amount) == (
        "paid",
        date(2026, 11, 20),
        Decimal(100),
    )


def test_a_paid_date_that_goes_away_opens_the_invoice_again(unpaid, empty: Sandbox) -> None:
    """Rule 4.2."""
    integration, key = unpaid
    empty.change_invoice(key, paidDate=date(2026, 11, 20))
    daily(integration)

    empty.change_invoice(key, paidDate=None)
    daily(integration)

    assert (invoice(key).status, invoice(key).outstanding) == ("open", Decimal(100))
    assert [row.removed_at is None for row in rows(Settlement)] == [False]


def test_a_voided_invoice_keeps_its_lines_here(unpaid, empty: Sandbox) -> None:
    """Rule 3.9: Autotask releases the lines of a voided invoice."""
    integration, key = unpaid
    empty.void_invoice(key)

    daily(integration)

    assert invoice(key).status == "voided"
    assert len(rows(InvoiceLine, invoice_id=invoice(key).id)) == 1


def test_lines_that_move_on_from_a_voided_invoice_stay_on_both(unpaid, empty: Sandbox, company: int) -> None:
    """Rule 3.9."""
    integration, key = unpaid
    line = empty.lines(key)[0]["id"]
    empty.void_invoice(key)
    daily(integration)
    again = empty.add_invoice(companyID=company, invoiceNumber="INV-1-B", invoiceTotal="100.00")
    empty.world.people.change("BillingItems", line, {"invoiceID": again})

    sync(integration, "new", "schedule")

    assert len(rows(InvoiceLine, invoice_id=invoice(key).id)) == 1
    assert len(rows(InvoiceLine, invoice_id=invoice(again).id)) == 1


def test_a_number_given_later_is_shown_and_the_row_stays_the_same(
    empty: Sandbox, company: int, connect
) -> None:
    """Rule 1.5: rows are matched by Autotask ID only."""
    key = empty.add_invoice(companyID=company, invoiceNumber=None, lines=[{"rate": "9.00"}])
    integration = connect(empty)
    sync(integration)
    before = invoice(key)
    assert before.number == str(key)

    empty.change_invoice(key, invoiceNumber="QB-77")
    daily(integration)

    assert (invoice(key).id, invoice(key).number) == (before.id, "QB-77")


def test_with_the_autotask_id_as_identifier_the_number_is_never_shown(
    empty: Sandbox, company: int, connect
) -> None:
    """Rule 1.5."""
    key = empty.add_invoice(companyID=company, invoiceNumber="INV-1", lines=[{"rate": "9.00"}])
    sync(connect(empty, identifier="id"))
    assert invoice(key).number == str(key)


def test_a_changed_line_comes_in_with_its_invoice(unpaid, empty: Sandbox) -> None:
    integration, key = unpaid
    empty.add_line(invoiceID=key, rate="11.00", itemName="Extra hour")

    run = daily(integration)

    assert [row.name for row in rows(InvoiceLine, invoice_id=invoice(key).id)][-1] == "Extra hour"
    assert invoice(key).amount_due == Decimal("111.00")
    assert run.items["line_items"]["created"] == 1


def test_a_line_taken_off_an_invoice_goes_here_too(unpaid, empty: Sandbox) -> None:
    integration, key = unpaid
    line = empty.add_line(invoiceID=key, rate="11.00")
    daily(integration)

    empty.remove_line(line)
    run = daily(integration)

    assert len(rows(InvoiceLine, invoice_id=invoice(key).id)) == 1
    assert run.items["line_items"]["removed"] == 1


def test_lines_are_not_read_again_while_nothing_changed(unpaid, empty: Sandbox) -> None:
    integration, _ = unpaid
    empty.clear_requests()

    daily(integration)

    assert empty.calls("BillingItems") == []


def test_lines_of_open_invoices_are_read_again_once_a_week(unpaid, empty: Sandbox, superuser) -> None:
    integration, key = unpaid
    line = empty.lines(key)[0]["id"]
    empty.world.people.change("BillingItems", line, {"itemName": "Renamed"})
    daily(integration)
    assert "Renamed" not in [row.name for row in rows(InvoiceLine)]

    superuser.execute("UPDATE invoice SET lines_read_at = now() - interval '8 days'")
    daily(integration)

    assert "Renamed" in [row.name for row in rows(InvoiceLine)]


def test_a_change_made_here_is_put_back_by_the_next_sync(unpaid, empty: Sandbox) -> None:
    """Rule 3.7."""
    from portal import own_records
    from portal.extensions import db
    from tests.sync.conftest import ACTOR

    integration, key = unpaid
    own_records.change_invoice(ACTOR, invoice(key), Decimal("80.00"), date(2027, 1, 1))
    db.session.commit()
    assert invoice(key).agreement == "differs"

    daily(integration)

    row = invoice(key)
    assert (row.amount_due, row.due_on, row.locally_changed_at) == (Decimal(100), date(2026, 12, 1), None)
    assert row.agreement == "agrees"


def test_running_it_twice_changes_nothing(unpaid, empty: Sandbox) -> None:
    """Rule 3.3."""
    integration, key = unpaid
    empty.change_invoice(key, invoiceTotal="120.50")
    daily(integration)

    again = daily(integration)

    assert changes(again) == {}
    assert again.items["invoices"]["unchanged"] == again.items["invoices"]["found"] == 2


def test_the_newest_read_wins(unpaid, empty: Sandbox, superuser) -> None:
    """A delivery's read-back that came later is not overwritten by a page that was read before."""
    integration, key = unpaid
    superuser.execute("UPDATE invoice SET autotask_read_at = now() + interval '1 hour'")
    empty.change_invoice(key, invoiceTotal="120.50")

    daily(integration)

    assert invoice(key).amount_due == Decimal(100)


@pytest.fixture
def old(empty: Sandbox, company: int, connect, monkeypatch) -> tuple[Integration, int]:
    """A synced invoice of a month ago, far below the last one that the hourly read reads again in any case."""
    monkeypatch.setattr(cursors, "OVERLAP_IDS", 0)
    created = datetime.now(UTC) - timedelta(days=30)
    for number in ("INV-1", "OTHER"):
        empty.add_invoice(
            companyID=company, invoiceNumber=number, createDateTime=created, lines=[{"rate": "100.00"}]
        )
    integration = connect(empty)
    sync(integration)
    return integration, one(Invoice, number="INV-1").autotask_id


@pytest.mark.parametrize("paid_here", [True, False])
def test_the_hourly_read_sees_a_paid_invoice_voided(old, empty: Sandbox, paid_here: bool) -> None:
    """Invoices have no stamp that every change moves, but Autotask keeps the date of a void, and can be asked for it."""
    integration, key = old
    if paid_here:
        factories.payment((invoice(key), "100.00"))
        owed = db.session.query(Delivery).one()
        owed.state, owed.done_version, owed.our_mark_on = "confirmed", owed.wish_version, owed.wish_paid_on
        db.session.commit()
    empty.change_invoice(key, paidDate=date(2026, 11, 19))
    daily(integration)
    assert invoice(key).status == "paid"
    empty.void_invoice(key)

    sync(integration, "new", "schedule")

    assert invoice(key).status == "voided"
    waiting = [row.cause for row in rows(ExceptionItem, state="open")]
    assert waiting == (["voided_with_payments"] if paid_here else [])


def test_the_hourly_read_sees_a_void_whose_date_has_no_time_of_day(old, empty: Sandbox) -> None:
    integration, key = old
    empty.change_invoice(key, paidDate=date(2026, 11, 19))
    daily(integration)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    empty.change_invoice(key, isVoided=True, voidedDate=midnight)
    sync(integration, "new", "schedule")
    assert invoice(key).status == "voided"
