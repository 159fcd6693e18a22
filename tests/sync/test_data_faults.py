"""Bad data from Autotask (faults F20 to F30): the one record stays out, the rest comes in."""

from datetime import date
from decimal import Decimal

import pytest

from portal.models import Customer, ExceptionItem, Integration, Invoice
from sandbox import Sandbox
from tests.sync.conftest import one, rows, sync

HOSTILE = ("formula", "image", "template", "format", "htmx", "log_line", "path")


@pytest.fixture
def three(empty: Sandbox, connect) -> tuple[Integration, list[int]]:
    """Three unpaid invoices in Autotask, nothing read yet."""
    company = empty.add_company(companyName="Contoso")
    keys = [
        empty.add_invoice(companyID=company, invoiceNumber=f"INV-{number}", lines=[{"rate": "10.00"}])
        for number in range(3)
    ]
    return connect(empty), keys


def open_items() -> list[ExceptionItem]:
    return rows(ExceptionItem, state="open")


def test_one_bad_row_in_a_page_of_500_leaves_499_rows_and_one_exception(empty: Sandbox, connect) -> None:
    """Rule 3.4."""
    company = empty.add_company(companyName="Contoso")
    keys = [empty.add_invoice(companyID=company, invoiceTotal="10.00") for _ in range(500)]
    empty.faults.add("bad_amount", value="comma", id=keys[250], entity="Invoices")
    integration = connect(empty)

    run = sync(integration)

    assert run.state == "completed"
    assert len(rows(Invoice)) == 499
    assert run.items["invoices"]["failed"] == 1
    (item,) = open_items()
    assert (item.cause, item.subject_key) == ("bad_record", str(keys[250]))
    assert "invoiceTotal is not a number" in item.detail
    assert item.theirs == {"invoiceTotal": "'12,50'"}


@pytest.mark.parametrize("value", ["comma", "huge", "nan", "null", "true", "long", "missing"])
def test_an_amount_that_is_none_keeps_its_row_out(three, empty: Sandbox, value: str) -> None:
    """Data fault F20."""
    integration, keys = three
    empty.faults.add("bad_amount", value=value, id=keys[1], entity="Invoices")
    assert sync(integration).state == "completed"
    assert [row.autotask_id for row in rows(Invoice)] == [keys[0], keys[2]]
    assert len(open_items()) == 1


def test_the_same_bad_record_makes_one_exception_however_often_it_is_seen_and_closes_by_itself(
    three, empty: Sandbox
) -> None:
    """Rule 3.4."""
    integration, keys = three
    empty.faults.add("bad_amount", value="comma", id=keys[1], entity="Invoices")
    for _ in range(3):
        sync(integration)
    assert one(ExceptionItem).times_seen == 3

    empty.faults.clear()
    sync(integration)

    assert one(ExceptionItem).state == "resolved"
    assert len(rows(Invoice)) == 3


def test_the_exception_closes_when_the_bad_record_is_gone(three, empty: Sandbox) -> None:
    """Rule 3.4."""
    integration, keys = three
    empty.faults.add("bad_amount", value="comma", id=keys[1], entity="Invoices")
    sync(integration)
    empty.faults.clear()
    empty.remove_invoice(keys[1])
    sync(integration)
    assert open_items() == []


def test_a_bad_row_that_was_here_before_is_not_taken_for_missing(three, empty: Sandbox) -> None:
    integration, keys = three
    sync(integration)
    empty.faults.add("bad_amount", value="comma", id=keys[1], entity="Invoices")
    sync(integration)
    assert all(row.missing_since is None for row in rows(Invoice))
    assert one(Invoice, autotask_id=keys[1]).amount_due == Decimal(10)


@pytest.mark.parametrize(("total", "due"), [("52.7775", "52.78"), ("0.005", "0.01"), ("33.335", "33.34")])
def test_an_amount_between_two_cents_is_rounded_once_and_kept_raw(
    three, empty: Sandbox, total: str, due: str
) -> None:
    """Rule 4.1, data fault F21."""
    integration, keys = three
    empty.faults.add("many_decimals", value=total, id=keys[0], entity="Invoices")
    sync(integration)
    row = one(Invoice, autotask_id=keys[0])
    assert (row.total_raw, row.amount_due) == (Decimal(total), Decimal(due))


@pytest.mark.parametrize(("total", "status"), [("-120.5", "credit"), ("0", "paid")])
def test_negative_totals_are_credits_and_zero_ones_settled(
    three, empty: Sandbox, total: str, status: str
) -> None:
    """Rule 4.3, data fault F22."""
    integration, keys = three
    empty.faults.add("odd_total", value=total, id=keys[0], entity="Invoices")
    sync(integration)
    assert one(Invoice, autotask_id=keys[0]).status == status


@pytest.mark.parametrize("value", ["missing", "negative", "huge"])
def test_a_record_without_a_usable_id_stays_out(three, empty: Sandbox, value: str) -> None:
    """Data fault F23."""
    integration, _ = three
    empty.faults.add("bad_id", value=value, entity="Invoices")
    run = sync(integration)
    assert run.state == "completed"
    assert len(rows(Invoice)) == 2
    assert len(open_items()) == 1


@pytest.mark.parametrize("value", ["text", "twice_in_page"])
def test_ids_as_text_and_rows_that_come_twice_make_one_row(three, empty: Sandbox, value: str) -> None:
    """Data fault F23."""
    integration, _ = three
    empty.faults.add("bad_id", value=value, entity="Invoices")
    assert sync(integration).state == "completed"
    assert len(rows(Invoice)) == 3


def test_an_unknown_field_is_ignored(three, empty: Sandbox) -> None:
    """Data fault F24."""
    empty.faults.add("drift", value="unknown_field", entity="Invoices", every=True)
    sync(three[0])
    assert len(rows(Invoice)) == 3


@pytest.mark.parametrize("value", ["renamed", "object", "list"])
def test_a_needed_field_of_another_shape_keeps_its_row_out(three, empty: Sandbox, value: str) -> None:
    """Data fault F24."""
    integration, keys = three
    empty.faults.add("drift", value=value, field="invoiceTotal", id=keys[1], entity="Invoices")
    assert sync(integration).state == "completed"
    assert len(rows(Invoice)) == 2


def test_when_more_than_a_twentieth_is_bad_the_run_stops_and_says_so(empty: Sandbox, connect) -> None:
    """Data fault F24, promise P20: something general has changed."""
    company = empty.add_company(companyName="Contoso")
    for _ in range(120):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    empty.faults.add("drift", value="renamed", field="invoiceTotal", every=True, entity="Invoices")

    run = sync(connect(empty))

    assert run.state == "failed"
    assert "could not be read" in run.error
    assert rows(Invoice) == []


@pytest.mark.parametrize("value", ["year_one", "year_20250", "february_30", "empty"])
def test_a_due_date_out_of_this_world_is_left_out(three, empty: Sandbox, value: str) -> None:
    """Data fault F25."""
    integration, keys = three
    empty.faults.add("bad_date", value=value, field="dueDate", id=keys[0], entity="Invoices")
    sync(integration)
    assert one(Invoice, autotask_id=keys[0]).due_on is None


@pytest.mark.parametrize("value", ["no_zone", "far_zone"])
def test_a_day_is_never_shifted_by_a_zone(three, empty: Sandbox, value: str) -> None:
    """Rule 4.4, data fault F25."""
    integration, keys = three
    empty.faults.add("bad_date", value=value, field="dueDate", id=keys[0], entity="Invoices")
    sync(integration)
    assert one(Invoice, autotask_id=keys[0]).due_on == date(2026, 1, 5)


def test_a_paid_date_with_a_time_keeps_its_day(three, empty: Sandbox) -> None:
    """Rule 4.4, data fault F26."""
    integration, keys = three
    empty.change_invoice(keys[0], paidDate=date(2026, 11, 20))
    empty.faults.add("paid_date_with_time", id=keys[0], entity="Invoices")
    sync(integration)
    assert one(Invoice, autotask_id=keys[0]).autotask_paid_on == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("fault", "value"),
    [("paging_circle", "repeats"), ("paging_circle", "back_to_first"), ("foreign_next_page", "other_host")],
)
def test_pages_that_lead_in_circles_or_elsewhere_stop_the_reading(
    empty: Sandbox, connect, monkeypatch, fault: str, value: str
) -> None:
    """Data faults F27 and F28, crash point S8: nothing is read for ever, nothing sent to strangers."""
    monkeypatch.setattr("portal.sync.perform.SHORT_PAUSES", ())
    company = empty.add_company(companyName="Contoso")
    for _ in range(501):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    empty.faults.add(fault, value=value, entity="Invoices")

    run = sync(connect(empty))

    assert run.state == "failed"
    assert len(empty.calls("Invoices")) <= 8
    assert [item.cause for item in open_items()] == ["sync_failed"]
    assert all(row.missing_since is None for row in rows(Invoice))


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_is_inert_on_pages_and_in_files(three, empty: Sandbox, browse, at, value: str) -> None:
    """Data fault F30."""
    integration, _ = three
    sync(integration)
    empty.faults.add("hostile_text", value=value, field="companyName", entity="Companies", every=True)
    run = sync(integration)
    assert run.state == "completed"
    browser = browse()

    page = browser.get(at(f"/sync-runs/{run.id}")).get_data(as_text=True)
    file = browser.get(at(f"/sync-runs/{run.id}/changes.csv")).get_data(as_text=True)

    assert "<img src=x" not in page
    assert '<div hx-get="/logout"' not in page
    assert "49" not in one(Customer).name
    assert ",=HYPERLINK" not in file
    assert "\n" not in one(Customer).name


def test_a_value_that_the_database_refuses_keeps_only_its_own_row_out(three, monkeypatch) -> None:
    """Rule 3.4: the page is written row by row when it cannot be written as a whole."""
    from portal.sync import tables

    integration, keys = three
    real = tables.invoice_row

    def spoilt(record, *rest):
        row = real(record, *rest)
        return {**row, "number": "\x00"} if record["autotask_id"] == keys[1] else row

    monkeypatch.setattr(tables, "invoice_row", spoilt)
    run = sync(integration)

    assert run.state == "completed"
    assert [row.autotask_id for row in rows(Invoice)] == [keys[0], keys[2]]
    assert run.items["invoices"]["failed"] == 1
