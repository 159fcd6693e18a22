"""A match by hand can be taken back: what was written there is cleared first, and the status is decided anew (rule 6)."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient

from portal.connect import sync_minutes
from portal.extensions import db
from portal.models import (
    AuditEvent,
    Delivery,
    ExceptionItem,
    Integration,
    Invoice,
    InvoicePdf,
    StoredFile,
    SyncRun,
    SyncSchedule,
)
from portal.reconcile import by_hand, deliver
from portal.sync import due_runs, perform, runs
from sandbox import Sandbox
from tests import factories
from tests.reading import words_of
from tests.sync.conftest import one, rows, sync
from tests.sync.test_matched_by_hand import browser
from tests.sync.test_matching import causes, company, here, secondary, there

__all__ = ["browser", "company", "secondary"]


@pytest.fixture
def matched(
    secondary: Integration, empty: Sandbox, company: int, browser: FlaskClient, at: Callable[[str], str]
) -> tuple[int, int]:
    """The Autotask ids of two that could be meant; a person chose the second."""
    pair = there(empty, company, "INV-1"), there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    choose(browser, at, pair[1])
    return pair


def choose(browser: FlaskClient, at: Callable[[str], str], autotask_id: int) -> None:
    item = one(ExceptionItem, state="open")
    browser.post(at(f"/integrations/autotask/matching/{item.id}"), data={"autotask_id": str(autotask_id)})
    perform.perform(rows(SyncRun)[-1].id)
    assert one(Invoice).autotask_id == autotask_id


def take_back(browser: FlaskClient, at: Callable[[str], str]) -> str:
    path = at(f"/integrations/autotask/matching/invoices/{one(Invoice).id}/take-back")
    return words_of(browser.post(path, follow_redirects=True).text)


def is_apart(row: Invoice) -> bool:
    """Nothing of Autotask's side is left on it."""
    theirs = (
        row.integration_id,
        row.autotask_id,
        row.autotask_number,
        row.autotask_read_at,
        row.match_ends_at,
    )
    return theirs == (None,) * 5 and row.autotask_paid_on is None and row.matched_by_hand_at is None


def test_one_that_nothing_was_paid_of_is_apart_at_once_and_is_looked_for_again(
    matched: tuple[int, int], browser: FlaskClient, at: Callable[[str], str]
) -> None:
    page = browser.get(at("/integrations/autotask/matching?standing=by_hand")).text
    assert "Matched by hand 1 100.00 USD" in words_of(page)
    assert "Take it back" in page
    assert "Matched by hand, " in browser.get(at(f"/invoices/{one(Invoice).id}")).text
    theirs = {"state": "here", "name": "Theirs.pdf", "storage_key": "invoice/1"}
    db.session.add(InvoicePdf(tenant_id=one(Invoice).tenant_id, invoice_id=one(Invoice).id, **theirs))
    db.session.add(StoredFile(tenant_id=one(Invoice).tenant_id, key="invoice/1", data=b"%PDF"))
    db.session.commit()
    for _ in range(2):
        said = take_back(browser, at)
    assert "was taken back in the meantime" in said
    assert is_apart(one(Invoice))
    assert one(Invoice).agreement == "portal_only"
    assert rows(InvoicePdf) == rows(StoredFile) == [], "the PDF was that other invoice's"
    assert len(rows(AuditEvent, event="invoice.match_taken_back")) == 1
    perform.perform(rows(SyncRun)[-1].id)
    assert causes() == ["match_several"]


def test_our_paid_date_is_cleared_there_first_and_the_next_match_gets_it(
    matched: tuple[int, int],
    empty: Sandbox,
    browser: FlaskClient,
    at: Callable[[str], str],
    secondary: Integration,
) -> None:
    right, wrong = matched
    factories.payment((one(Invoice), "100.00"))
    deliver.deliver_due()
    assert empty.invoice(wrong)["paidDate"].startswith("2026-11-19")
    assert "Being taken back 1 100.00 USD" in take_back(browser, at)
    assert one(Invoice).autotask_id == wrong, "until its paid date is cleared"
    waiting = words_of(browser.get(at(f"/invoices/{one(Invoice).id}")).text)
    assert "is being taken back: what was written there is cleared first" in waiting
    deliver.deliver_due()
    assert empty.invoice(wrong)["paidDate"] is None
    assert is_apart(one(Invoice))
    assert (one(Invoice).status, one(Invoice).agreement, one(Delivery).state) == (
        "paid",
        "portal_only",
        "confirmed",
    )
    sync(secondary, "new", "schedule")
    choose(browser, at, right)
    deliver.deliver_due()
    assert empty.invoice(right)["paidDate"].startswith("2026-11-19")
    assert (empty.invoice(wrong)["paidDate"], one(Delivery).state) == (None, "confirmed")


@pytest.mark.parametrize("paid", ["nothing was paid", "its paid date is cleared first"])
def test_what_is_apart_is_looked_for_promptly_and_once(
    matched: tuple[int, int],
    browser: FlaskClient,
    at: Callable[[str], str],
    secondary: Integration,
    paid: str,
) -> None:
    sync_minutes.plan(secondary)
    for row in rows(SyncSchedule):
        row.next_due_at += timedelta(hours=1)
    db.session.commit()
    if paid == "its paid date is cleared first":
        factories.payment((one(Invoice), "100.00"))
        deliver.deliver_due()
        take_back(browser, at)
        assert due_runs.create_due() == [], "it is matched still"
        deliver.deliver_due()
        assert is_apart(one(Invoice))
        ((_, run_id),) = due_runs.create_due()
    else:
        take_back(browser, at)
        run_id = rows(SyncRun)[-1].id
    assert runs.get(run_id).kind == "new"
    perform.perform(run_id)
    assert causes() == ["match_several"]
    assert due_runs.create_due() == []


def test_what_autotask_itself_calls_paid_or_voided_counts_here_no_longer(
    matched: tuple[int, int],
    empty: Sandbox,
    browser: FlaskClient,
    at: Callable[[str], str],
    secondary: Integration,
) -> None:
    empty.change_invoice(matched[1], paidDate=date(2026, 11, 20))
    sync(secondary, "unpaid", "schedule")
    assert one(Invoice).status == "paid"
    take_back(browser, at)
    assert is_apart(one(Invoice))
    assert one(Invoice).status == "open"


def test_while_autotask_does_not_clear_it_the_match_stays_and_a_person_is_told_until_it_does(
    matched: tuple[int, int], empty: Sandbox, browser: FlaskClient, at: Callable[[str], str]
) -> None:
    factories.payment((one(Invoice), "100.00"))
    deliver.deliver_due()
    empty.switches.update({"patch_null": "ignored", "put_omitted": "ignored"})
    take_back(browser, at)
    deliver.deliver_due()
    assert (one(Invoice).autotask_id, causes()) == (matched[1], ["not_cleared"])
    empty.change_invoice(matched[1], paidDate=None)
    by_hand.retry(factories.ACTOR, one(Delivery).id)
    db.session.commit()
    deliver.deliver_due()
    assert is_apart(one(Invoice))
    assert causes() == []


@pytest.mark.parametrize("how", ["primary", "by itself"])
def test_only_a_match_by_hand_of_a_secondary_integration_is_taken_back(
    matched: tuple[int, int], browser: FlaskClient, at: Callable[[str], str], secondary: Integration, how: str
) -> None:
    if how == "primary":
        secondary.role = "primary"
    else:
        one(Invoice).matched_by_hand_at = None
    db.session.commit()
    said = take_back(browser, at)
    assert ("Autotask is primary here" if how == "primary" else "was not made by hand") in said
    assert one(Invoice).autotask_id == matched[1]
