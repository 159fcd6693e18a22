"""What is no longer in Autotask: marked after a complete read, never archived, and asked about when it is much."""

import pytest

from portal.models import Customer, ExceptionItem, Integration, Invoice
from portal.sync import read_pages
from sandbox import Sandbox
from tests.sync.conftest import ACTOR, one, rows, sync

WORDS = "were not in Autotask's answer"


@pytest.fixture
def twenty(empty: Sandbox, connect) -> Integration:
    """Twenty customers with one unpaid invoice each, synced."""
    for number in range(20):
        company = empty.add_company(companyName=f"Company {number}")
        empty.add_invoice(companyID=company, invoiceNumber=f"INV-{number}", lines=[{"rate": "10.00"}])
    integration = connect(empty)
    sync(integration)
    return integration


def missing(model) -> list:
    return [row for row in rows(model) if row.missing_since is not None]


@pytest.mark.parametrize("kind", ["all", "unpaid"])
def test_a_deleted_invoice_is_marked_and_not_archived(twenty, empty: Sandbox, kind: str) -> None:
    """Rule 3.9."""
    gone = empty.rows("Invoices")[4]["id"]
    empty.remove_invoice(gone)

    sync(twenty, kind)

    (row,) = missing(Invoice)
    assert (row.autotask_id, row.archived_at, row.agreement) == (gone, None, "missing")


def test_a_deleted_customer_is_marked_by_a_complete_read(twenty, empty: Sandbox) -> None:
    """Rule 3.9."""
    spare = empty.add_company(companyName="Spare")
    sync(twenty, "customers")
    empty.remove_company(spare)

    sync(twenty, "customers")

    assert [row.name for row in missing(Customer)] == ["Spare"]


def test_what_comes_back_loses_its_mark(twenty, empty: Sandbox) -> None:
    hidden = empty.rows("Companies")[3]["id"]
    empty.restrict_line_of_business([hidden])
    sync(twenty, "unpaid")
    assert len(missing(Invoice)) == 1

    empty.restrict_line_of_business()
    sync(twenty, "unpaid")

    assert missing(Invoice) == []


@pytest.mark.parametrize("kind", ["all", "unpaid"])
def test_a_read_that_lacks_more_than_a_tenth_marks_nothing_and_asks(
    twenty, empty: Sandbox, kind: str
) -> None:
    """Rule 3.9."""
    empty.restrict_line_of_business([row["id"] for row in empty.rows("Companies")[:3]])

    run = sync(twenty, kind)

    assert run.state == "completed"
    assert missing(Invoice) == []
    labels = [item.label for item in rows(ExceptionItem, cause="suspicious_read", state="open")]
    assert f"3 of 20 invoices {WORDS}" in labels


@pytest.mark.parametrize("kind", ["all", "unpaid"])
def test_a_suddenly_empty_read_marks_nothing_and_asks(twenty, empty: Sandbox, kind: str) -> None:
    """Rule 3.9, crash point S10."""
    empty.restrict_line_of_business([row["id"] for row in empty.rows("Companies")])

    sync(twenty, kind)

    assert missing(Invoice) == missing(Customer) == []
    assert any(WORDS in item.label for item in rows(ExceptionItem, cause="suspicious_read", state="open"))


def test_the_question_closes_by_itself_when_the_records_are_back(twenty, empty: Sandbox) -> None:
    """Rule 3.4."""
    empty.restrict_line_of_business([row["id"] for row in empty.rows("Companies")[:5]])
    sync(twenty, "unpaid")
    empty.restrict_line_of_business()

    sync(twenty, "unpaid")

    assert rows(ExceptionItem, cause="suspicious_read", state="open") == []


def test_a_person_can_say_that_they_were_deleted(twenty, empty: Sandbox) -> None:
    from portal.attention import decisions
    from portal.extensions import db

    for row in empty.rows("Invoices")[:4]:
        empty.remove_invoice(row["id"])
    sync(twenty, "unpaid")
    item = one(ExceptionItem, cause="suspicious_read", state="open")

    outcome = decisions.act(ACTOR, item, "accept")
    db.session.commit()

    assert outcome.words == "4 marked as no longer in Autotask."
    assert len(missing(Invoice)) == 4


def test_an_incomplete_read_gives_no_verdict(twenty, empty: Sandbox, monkeypatch) -> None:
    """Crash point S9."""
    empty.remove_invoice(empty.rows("Invoices")[4]["id"])
    monkeypatch.setattr("portal.sync.perform.SHORT_PAUSES", ())
    empty.forbid("BillingItems")

    def stop(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("portal.sync.read_pages._note_absent", stop)

    run = sync(twenty, "unpaid")

    assert run.state == "failed"
    assert missing(Invoice) == []


def test_more_than_one_run_looks_at_is_told_and_the_next_run_goes_on(
    twenty, empty: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.sync.read_pages.MOST_ABSENT", 1)
    for row in empty.rows("Invoices")[4:6]:
        empty.remove_invoice(row["id"])

    run = sync(twenty, "unpaid")

    assert run.items["invoices"]["skipped_because"] == {read_pages.NOT_LOOKED_AT: 1}
    assert len(missing(Invoice)) == 1
    sync(twenty, "unpaid")
    assert len(missing(Invoice)) == 2
