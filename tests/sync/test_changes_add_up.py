"""A number of a run leads to as many records, each with what changed in it or why it did not come in."""

import pytest

from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import ExceptionItem, Invoice
from portal.sync import filter_preview, wanted_pdfs
from sandbox import Sandbox
from tests.pages import Page, rows_behind
from tests.sync.conftest import changes, one, rows, sync


def test_each_record_that_counts_as_changed_says_what_changed(empty: Sandbox, connect, browse, at) -> None:
    """Records that come back inside the filters too; one of which only Autotask's own time moved does not count."""
    keys = [empty.add_company(companyName=f"Company {number}", companyType=1) for number in range(60)]
    invoice = empty.add_invoice(companyID=keys[0], invoiceNumber="INV-1", lines=[{"rate": "10.00"}])
    integration = connect(empty)
    sync(integration)
    integration.filters = {"company_types": [2]}
    db.session.commit()
    sync(integration)
    integration.filters = {}
    db.session.commit()
    empty.change_company(keys[0], companyName="Renamed")
    empty.change_invoice(invoice, dueDate="2026-12-24", comments="Thank you")

    run = sync(integration)

    assert run.items["customers"]["changed"] == 60
    assert changes(run)["Company 7", "Outside filters"] == ("yes", "no")
    browser = browse()
    page = Page(browser.get(at(f"/sync-runs/{run.id}")).text)
    assert page.counts
    assert {address: rows_behind(browser, address) for _, address in page.counts} == {
        address: number for number, address in page.counts
    }
    empty.change_company(keys[1], lastActivityDate="2026-11-24")
    again = sync(integration)
    assert again.items["customers"]["changed"] == 0
    assert again.items["customers"]["unchanged"] == again.items["customers"]["found"]


def test_what_leaves_the_filters_counts_as_changed_once_and_is_listed(
    empty: Sandbox, connect, browse, at
) -> None:
    """With all that belongs to a customer that leaves: as many as the preview said; one that comes back counts once."""
    for number in range(30):
        company = empty.add_company(companyName=f"Company {number}", companyType=1 + number % 2)
        empty.add_contact(companyID=company, lastName=f"Contact {number}")
        for voided in (False, True):
            empty.add_invoice(companyID=company, isVoided=voided, lines=[{"rate": "10.00"}])
    integration = connect(empty)
    sync(integration)
    one_of_them = rows(Invoice)[0]
    empty.change_invoice(one_of_them.autotask_id, comments="Thank you")
    found = filter_preview.of(integration, SyncFilters(company_types=(2,)))
    integration.filters = {"company_types": [2]}
    db.session.commit()

    run = sync(integration)

    leaving = {"customers": found.customers, "contacts": found.contacts, "invoices": found.invoices}
    assert {item: change.leave.number for item, change in leaving.items()} == {
        "customers": 15, "contacts": 15, "invoices": 30,
    }  # fmt: skip
    assert {item: run.items[item]["changed"] for item in leaving} == {
        item: change.leave.number for item, change in leaving.items()
    }
    assert changes(run)[one_of_them.number, "Outside filters"] == ("no", "yes")
    browser = browse()
    page = Page(browser.get(at(f"/sync-runs/{run.id}")).text)
    assert {number for number, _ in page.counts} >= {15, 30, 60}
    assert {address: rows_behind(browser, address) for _, address in page.counts} == {
        address: number for number, address in page.counts
    }
    assert {sync(integration).items[item]["changed"] for item in leaving} == {0}


@pytest.mark.parametrize("trouble", ["refused", "forbidden"])
def test_a_failed_pdf_names_its_invoice_and_the_next_step(
    empty: Sandbox, connect, browse, at, trouble: str
) -> None:
    company = empty.add_company(companyName="Contoso")
    for number in range(3):
        empty.add_invoice(companyID=company, invoiceNumber=f"INV-{number}", lines=[{"rate": "10.00"}])
    integration = connect(empty)
    sync(integration)
    if trouble == "refused":
        empty.faults.add("F10", entity="Invoices", verb="pdf", times=3)
    else:
        empty.forbid("InvoicePdf")

    run = sync(integration, "pdfs", "schedule")

    failed = {"refused": 3, "forbidden": 1}[trouble]  # without the right, the others would fail alike
    assert run.items["pdfs"]["failed"] == failed
    found = rows(ExceptionItem, state="open")
    assert len(found) == failed
    assert all("PDF of invoice INV-" in item.label and "then press Retry" in item.detail for item in found)
    browser = browse()
    behind = f"/sync-runs/{run.id}/changes?what=failed"
    assert rows_behind(browser, at(behind)) == failed
    assert "INV-2" in browser.get(at(behind)).text
    assert f"{failed} failed" in browser.get(at(f"/sync-runs/{run.id}")).text

    empty.faults.clear()
    empty.allow("InvoicePdf")
    for invoice in rows(Invoice):
        wanted_pdfs.want_one(invoice)
    db.session.commit()
    sync(integration, "pdfs", "schedule")
    assert rows(ExceptionItem, state="open") == []


def test_a_matched_invoice_says_with_what_it_was_matched(empty: Sandbox, connect) -> None:
    from tests import factories

    empty.add_invoice(companyID=empty.add_company(), invoiceNumber="INV-9", lines=[{"rate": "10.00"}])
    integration = connect(empty, role="secondary")
    factories.invoice(factories.customer(), "10.00", number="INV-9")
    run = sync(integration, "new")
    assert run.items["invoices"]["changed"] == 1
    assert ("INV-9", "Matched in Autotask") in changes(run)
    assert one(Invoice).autotask_id
