"""Reading again writes no record: when invoices were last read stands by range of ids, exactly."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from sqlalchemy import select, text

from portal.extensions import db
from portal.models import Integration, Invoice, ReadRange
from portal.reconcile import mirror
from portal.reconcile.decide import Reading
from portal.sync import seen, tables, upsert
from portal.sync.task import Writer
from sandbox import Sandbox
from tests.fixtures.database import tell_what_was_counted
from tests.sync.conftest import one, rows, sync

# What a run notes about itself; each page of unchanged invoices has one read range.
OF_THE_RUN = {"sync_run", "sync_cursor", "call_slot", "api_usage", "integration", "audit_head", "audit_event"}
WRITTEN = text("""
    SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'""")


def written() -> dict[str, tuple[int, int, int]]:
    """Rows inserted, updated and deleted so far, by table."""
    db.session.commit()
    tell_what_was_counted()
    found = {row[0]: tuple(row[1:]) for row in db.session.execute(WRITTEN)}
    db.session.commit()
    return found


def read_at(key: int) -> datetime:
    found = db.session.scalar(select(Invoice.last_read_at).where(Invoice.autotask_id == key))
    db.session.commit()
    return found


@pytest.fixture
def books(empty: Sandbox, connect) -> tuple[Integration, list[int]]:
    """Twelve invoices with lines, every third paid, read once."""
    company = empty.add_company(companyName="Contoso")
    empty.add_contact(companyID=company)
    keys = [
        empty.add_invoice(
            companyID=company,
            lines=[{"rate": "10.00"}],
            **({"paidDate": date(2026, 11, 3)} if number % 3 == 0 else {}),
        )
        for number in range(12)
    ]
    integration = connect(empty)
    sync(integration)
    return integration, keys


@pytest.mark.parametrize("kind", ["all", "unpaid", "new"])
def test_reading_again_writes_no_record_and_one_range_a_page(books, kind: str) -> None:
    integration, keys = books
    own = [row.autotask_read_at for row in rows(Invoice)]
    before, earlier = written(), {key: read_at(key) for key in keys}

    sync(integration, kind)

    after = written()
    changed = {name: after[name] for name in after if after[name] != before.get(name, (0, 0, 0))}
    assert {name for name in changed if not name.startswith("stage_")} - OF_THE_RUN == {"read_range"}
    assert len(rows(ReadRange)) == 1
    assert [row.autotask_read_at for row in rows(Invoice)] == own
    again = [number for number, key in enumerate(keys) if read_at(key) > earlier[key]]
    assert again == [number for number in range(12) if kind != "unpaid" or number % 3]


def test_a_range_says_nothing_of_an_invoice_that_was_not_in_the_page(books, empty: Sandbox) -> None:
    """One was not readable, one was not sent: the unchanged ones say themselves that they were read."""
    integration, keys = books
    earlier = {key: read_at(key) for key in keys}
    empty.faults.add("bad_amount", value="comma", id=keys[4], entity="Invoices")
    empty.remove_invoice(keys[7])

    sync(integration)

    assert rows(ReadRange) == []
    again = {key for key in keys if read_at(key) > earlier[key]}
    assert again == set(keys) - {keys[4], keys[7]}


def test_a_mark_ends_what_ranges_say(books, empty: Sandbox, superuser) -> None:
    integration, keys = books
    sync(integration)
    last = read_at(keys[5])
    empty.remove_invoice(keys[5])
    sync(integration)

    sync(integration)

    assert one(Invoice, autotask_id=keys[5]).missing_since is not None
    assert read_at(keys[5]) == last
    assert read_at(keys[6]) > last


def test_ranges_are_as_many_as_pages_however_often_and_wherever_pages_end(books) -> None:
    integration, keys = books
    held = {row.autotask_id: row for row in rows(Invoice)}
    page = [{"autotask_id": key, "autotask_paid_on": None, "is_voided": False} for key in keys]
    began = datetime.now(UTC)
    for number, size in enumerate((5, 3, 7, 4, 12, 5)):
        at = began + timedelta(minutes=number)
        for first in range(0, 12, size):
            some = page[first : first + size]
            seen.note(Writer(integration.id, 1), some, [held[row["autotask_id"]].id for row in some], at)
        seen.forget_older(integration.id, at, only_unpaid=False)
        db.session.commit()
        found = sorted((row.low, row.high) for row in rows(ReadRange))
        assert len(found) == ceil(12 / size)
        assert all(high < low for (_, high), (low, _) in pairwise(found))
        assert {read_at(key) for key in keys} == {at}
    seen.note(Writer(integration.id, 1), page[8:], [held[keys[8]].id], at + timedelta(hours=1))
    db.session.commit()
    assert [row.read_at > at for row in sorted(rows(ReadRange), key=lambda row: row.low)] == [
        False,
        False,
        True,
    ]


def test_a_read_back_older_than_a_page_that_found_nothing_changed_is_not_taken_over(books) -> None:
    """The newest read wins, although that page wrote nothing into the invoice."""
    integration, keys = books
    invoice = one(Invoice, autotask_id=keys[1])
    before = datetime.now(UTC)
    sync(integration)

    def reading(at: datetime) -> Reading:
        values: dict[str, Any] = {"paid_on": date(2026, 11, 9), "is_voided": False, "voided_on": None}
        return Reading(
            started_at=at, due_on=invoice.autotask_due_on, total_raw=invoice.total_raw, tax_raw=invoice.tax_raw,
            **values,
        )  # fmt: skip

    held = mirror.lock([invoice.id])
    assert not mirror.write(held, {invoice.id: reading(before)})
    assert held[invoice.id].autotask_paid_on is None
    later = reading(datetime.now(UTC) + timedelta(seconds=1))
    assert mirror.write(held, {invoice.id: later}) == {invoice.id}
    db.session.rollback()


def page_of(keys, paid=()) -> list[dict[str, Any]]:
    day = date(2026, 11, 9)
    return [
        {"autotask_id": key, "autotask_paid_on": day if key in paid else None, "is_voided": False}
        for key in keys
    ]


def test_a_page_that_was_asked_for_before_another_does_not_undo_what_that_one_saw(
    books, empty: Sandbox
) -> None:
    """A worker that hung comes back with its old page, after another run found the invoices unchanged."""
    integration, keys = books
    late = datetime.now(UTC)
    sync(integration)
    held = one(Invoice, autotask_id=keys[1])
    row = {name: getattr(held, name) for name in tables.INVOICE.columns} | {"autotask_id": keys[1]}
    upsert.write(
        tables.INVOICE,
        [row | {"total_raw": Decimal(1), "amount_due": Decimal(1)}],
        Writer(integration.id, 1),
        late,
        lines_read_at=None,
    )
    db.session.commit()
    assert one(Invoice, autotask_id=keys[1]).total_raw == held.total_raw != 1


def test_a_smaller_page_leaves_the_rest_of_a_range_as_it_was(books) -> None:
    integration, keys = books
    first = one(Invoice, autotask_id=keys[0])
    sync(integration)
    earlier = {key: read_at(key) for key in keys}
    later = datetime.now(UTC) + timedelta(minutes=1)
    seen.note(Writer(integration.id, 1), page_of(keys[:1]), [first.id], later)
    db.session.commit()
    assert {key: read_at(key) for key in keys} == {**earlier, keys[0]: later}


def test_a_range_of_unpaid_invoices_counts_no_paid_one_for_an_unpaid_one(books) -> None:
    """One that is paid here by now was in the page as unpaid, and an unpaid one was not in it."""
    integration, keys = books
    sync(integration)
    earlier, unpaid = (
        {key: read_at(key) for key in keys},
        [key for number, key in enumerate(keys) if number % 3],
    )
    paid_meanwhile, absent = keys[3], unpaid[3]
    there = [paid_meanwhile, *(key for key in unpaid if key != absent)]
    same = [one(Invoice, autotask_id=key).id for key in there if key != paid_meanwhile]
    later = datetime.now(UTC) + timedelta(minutes=1)
    seen.note(Writer(integration.id, 1), page_of(sorted(there)), same, later)
    db.session.commit()
    assert read_at(absent) == earlier[absent]
    assert {read_at(key) for key in there if key != paid_meanwhile} == {later}


@pytest.mark.parametrize("kind", ["all", "unpaid"])
def test_a_read_that_was_not_believed_forgets_no_earlier_one(books, empty: Sandbox, kind: str):
    integration, keys = books
    sync(integration)
    seen_at = {key: read_at(key) for key in keys}
    lost = [key for number, key in enumerate(keys) if number % 3][:4]
    for key in lost:
        empty.remove_invoice(key)
    assert sync(integration, kind).state == "completed"
    assert {key: read_at(key) for key in lost} == {key: seen_at[key] for key in lost}
