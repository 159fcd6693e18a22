"""Far more than expected (data fault F29), and less than Autotask itself counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from portal.autotask.client import Client
from portal.models import Integration, Invoice
from portal.sync import perform, runs
from sandbox import Sandbox
from tests.sync.conftest import rows, sync


@pytest.fixture
def flooded(empty: Sandbox, connect) -> Integration:
    """Three pages of invoices; a customer and a contact are a page each."""
    company = empty.add_company(companyName="Contoso")
    empty.add_contact(companyID=company)
    for _ in range(1001):
        empty.add_invoice(companyID=company, invoiceTotal="10.00")
    return connect(empty)


def test_a_flood_is_read_in_stretches_and_each_goes_on_where_the_last_one_stopped(
    flooded: Integration, empty: Sandbox, monkeypatch, superuser
) -> None:
    """Data fault F29: what was committed stays, and the run says why it waits."""
    monkeypatch.setattr("portal.sync.flood.MOST_UNCOUNTED_PAGES", 2)
    monkeypatch.setattr(Client, "count", lambda *asked: 0)

    run = sync(flooded)

    assert (run.state, run.error_kind, len(rows(Invoice))) == ("waiting", "flood", 1000)
    assert "2 pages of invoices in one go" in run.error
    assert "goes on in an hour" in run.error

    monkeypatch.undo()
    superuser.execute("UPDATE sync_run SET next_try_at = now()")
    empty.clear_requests()
    perform.perform(run.id)

    ended = runs.get(run.id)
    assert (ended.state, ended.error, len(rows(Invoice))) == ("completed", None, 1001)
    assert [call.verb for call in empty.calls("Invoices")] == ["query", "count"]
    assert ended.items["invoices"]["created"] == 1001


def test_a_partner_with_more_pages_than_a_flood_is_read_through_when_autotask_counts_them(
    flooded: Integration, monkeypatch
) -> None:
    monkeypatch.setattr("portal.sync.flood.MOST_UNCOUNTED_PAGES", 2)

    assert (sync(flooded).state, len(rows(Invoice))) == ("completed", 1001)


def test_invoices_that_autotask_counts_but_does_not_send_are_told(flooded: Integration, monkeypatch) -> None:
    real = Client.pages

    def shortened(client: Client, entity: str, *args: Any, **named: Any) -> Iterator[list[dict[str, Any]]]:
        for page in real(client, entity, *args, **named):
            yield page[7:] if entity == "Invoices" and len(page) == 500 else page

    monkeypatch.setattr(Client, "pages", shortened)
    run = sync(flooded)

    assert run.state == "completed"
    assert run.items["invoices"]["skipped_because"] == {"counted by Autotask but not in its answer": 14}


def test_an_invoice_made_during_a_complete_read_is_not_told_as_lacking(
    flooded: Integration, empty: Sandbox, monkeypatch
) -> None:
    (company,) = (row["id"] for row in empty.rows("Companies") if row["companyName"] == "Contoso")
    real = Client.count

    def late(client: Client, entity: str, *args: Any) -> int:
        found = real(client, entity, *args)
        if entity == "Invoices":
            empty.add_invoice(companyID=company, invoiceTotal="10.00")
        return found

    monkeypatch.setattr(Client, "count", late)
    assert sync(flooded).items["invoices"]["skipped_because"] == {}
