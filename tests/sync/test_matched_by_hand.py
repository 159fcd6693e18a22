"""Matching by hand, and the page that says how many invoices are matched, of how much money (rule 6)."""

from collections.abc import Callable
from datetime import date

import pytest
from flask.testing import FlaskClient

from portal.models import AuditEvent, Delivery, ExceptionItem, Integration, Invoice, SyncRun
from portal.reconcile import deliver
from portal.sync import perform
from sandbox import Sandbox
from tests import factories
from tests.reading import words_of
from tests.sync.conftest import one, rows, sync
from tests.sync.test_matching import causes, company, here, secondary, there

__all__ = ["company", "secondary"]


@pytest.fixture
def browser(browse: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    return browse("clerk")


def test_the_page_says_how_many_are_matched_of_how_much_money_with_both_sides_values(
    secondary: Integration, empty: Sandbox, company: int, browser: FlaskClient, at: Callable[[str], str]
) -> None:
    there(empty, company, "INV-1")
    found = there(empty, company, "INV-2", "90.00")
    for _ in range(2):
        there(empty, company, "INV-3", "30.00")
    for number, amount in (("INV-1", "100.00"), ("INV-2", "100.50"), ("INV-3", "30.00"), ("INV-4", "7.00")):
        here(number, amount)
    sync(secondary, "new", "schedule")
    here("INV-5", "5.00")
    here("CREDIT", "-5.00")
    page = words_of(browser.get(at("/integrations/autotask/matching")).text)
    for words in (
        "Matched 1 100.00 USD", "Several could be meant 1 30.00 USD", "Found, but different 1 100.50 USD",
        "Not found in Autotask 1 7.00 USD", "Not looked for yet 1 5.00 USD",
        f"100.50 USD Found, but different Autotask ID {found}: INV-2, 90.00 USD Match by hand",
    ):  # fmt: skip
        assert words in page
    only = words_of(browser.get(at("/integrations/autotask/matching?standing=several")).text)
    assert "1 invoice on this page" in only
    (item,) = [row for row in rows(ExceptionItem) if "INV-2" in row.label]
    shown = words_of(browser.get(at(f"/exceptions/{item.id}")).text)
    assert "Amount due 100.50 USD 90.00 USD Differs" in shown
    assert "Match with this one" in shown
    assert "Amount due here" not in shown, "it stands beside Autotask's already"


def test_one_of_several_is_matched_by_hand_once_and_hears_of_payments(
    secondary: Integration, empty: Sandbox, company: int, browser: FlaskClient, at: Callable[[str], str]
) -> None:
    first, second = there(empty, company, "INV-1"), there(empty, company, "INV-1")
    here("INV-1")
    sync(secondary, "new", "schedule")
    path = at(f"/integrations/autotask/matching/{one(ExceptionItem).id}")
    assert browser.post(path, data={"autotask_id": "999"}).status_code == 303
    assert one(Invoice).autotask_id is None, "what was not found there is not taken"
    for _ in range(2):
        assert browser.post(path, data={"autotask_id": str(second)}).status_code == 303
    row = one(Invoice)
    assert (row.autotask_id, row.integration_id, causes()) == (second, secondary.id, [])
    assert len(rows(AuditEvent, event="invoice.matched")) == 1
    perform.perform(rows(SyncRun)[-1].id)
    assert one(Invoice).autotask_read_at is not None
    factories.payment((one(Invoice), "100.00"))
    deliver.deliver_due()
    assert one(Delivery).state == "confirmed"
    assert empty.invoice(second)["paidDate"].startswith("2026-11-19")
    assert empty.invoice(first)["paidDate"] is None


@pytest.mark.parametrize("how", ["currency", "taken", "voided"])
def test_what_cannot_be_the_counterpart_is_refused_in_words(
    secondary: Integration,
    empty: Sandbox,
    company: int,
    browser: FlaskClient,
    at: Callable[[str], str],
    how: str,
) -> None:
    key = there(empty, company, "INV-1")
    if how == "taken":
        other = here("OTHER", "1.00")
        other.integration_id, other.autotask_id = secondary.id, key
    customer = factories.customer(currency="EUR" if how == "currency" else "USD")
    invoice = factories.invoice(customer, "55.00", number="INV-1")
    sync(secondary, "new", "schedule")
    if how == "voided":
        invoice.is_voided, invoice.voided_on = True, date(2026, 11, 9)
    item = rows(ExceptionItem)[-1]
    answer = browser.post(
        at(f"/integrations/autotask/matching/{item.id}"),
        data={"autotask_id": str(key)},
        follow_redirects=True,
    )
    said = {
        "currency": "The two are in different currencies",
        "taken": "belongs to another one here already",
        "voided": "matched, voided or archived in the meantime",
    }
    assert said[how] in words_of(answer.text)
    assert one(Invoice, number="INV-1").autotask_id is None
