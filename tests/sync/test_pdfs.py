"""The printed invoices: waiting, here, or not available because of a reason."""

import os
import signal

import pytest
from flask import current_app

from portal import clock, storage
from portal.access.tenancy import current_tenant_id
from portal.autotask.client import Client
from portal.extensions import db
from portal.models import ExceptionItem, Integration, Invoice, InvoicePdf, SyncRun
from portal.sync import perform, runs, wanted_pdfs
from sandbox import Sandbox
from tests.faults import children
from tests.reading import words_of
from tests.sync.conftest import ACTOR, one, rows, sync


@pytest.fixture
def synced(empty: Sandbox, connect) -> tuple[Integration, int]:
    company = empty.add_company(companyName="Contoso")
    key = empty.add_invoice(companyID=company, invoiceNumber="INV-1", lines=[{"rate": "10.00"}])
    integration = connect(empty)
    sync(integration)
    return integration, key


def test_an_open_invoice_waits_for_its_pdf_and_then_has_it(synced) -> None:
    integration, _ = synced
    assert one(InvoicePdf).state == "waiting"

    run = sync(integration, "pdfs", "schedule")

    row = one(InvoicePdf)
    assert (row.state, run.items["pdfs"]["created"]) == ("here", 1)
    data = storage.get(current_tenant_id(), row.storage_key)
    assert data is not None
    assert data.startswith(b"%PDF-")
    assert len(data) == row.size


def test_a_changed_invoice_gets_its_pdf_again(synced, empty: Sandbox) -> None:
    integration, key = synced
    sync(integration, "pdfs", "schedule")
    empty.change_invoice(key, invoiceNumber="INV-1-B")
    sync(integration, "unpaid", "schedule")
    assert one(InvoicePdf).state == "waiting"
    assert sync(integration, "pdfs", "schedule").items["pdfs"]["found"] == 1


def test_a_paid_invoice_waits_for_no_pdf_until_a_person_opens_it(empty: Sandbox, connect) -> None:
    company = empty.add_company(companyName="Contoso")
    empty.add_invoice(companyID=company, invoiceTotal="10.00", paidDate="2026-11-01")
    integration = connect(empty)
    sync(integration)
    assert rows(InvoicePdf) == []

    assert wanted_pdfs.want_one(one(Invoice)).state == "waiting"
    db.session.commit()
    sync(integration, "pdfs", "schedule")

    assert one(InvoicePdf).state == "here"


def test_an_invoice_that_is_gone_from_autotask_is_not_asked_for_its_pdf(synced, browse, at) -> None:
    integration, _ = synced
    one(Invoice).missing_since = clock.now()
    db.session.commit()

    run = sync(integration, "pdfs", "schedule")

    assert (run.items.get("pdfs", {}).get("found", 0), rows(ExceptionItem, state="open")) == (0, [])
    page = browse().get(at(f"/invoices/{one(Invoice).id}")).text
    assert "None: it is no longer in Autotask." in words_of(page)
    assert "Get it from Autotask" not in page


def test_what_is_no_pdf_is_never_kept_and_says_why(synced, empty: Sandbox) -> None:
    """Data fault F31."""
    integration, _ = synced
    empty.faults.add("F31", entity="Invoices")

    run = sync(integration, "pdfs", "schedule")

    row = one(InvoicePdf)
    assert (row.state, row.storage_key, run.items["pdfs"]["failed"]) == ("unavailable", None, 1)
    assert row.reason
    assert [item.cause for item in rows(ExceptionItem, state="open")] == ["pdf_unavailable"]


def test_the_exception_closes_when_the_pdf_comes(synced, empty: Sandbox) -> None:
    """Rule 3.4."""
    integration, _ = synced
    empty.faults.add("F31", entity="Invoices")
    sync(integration, "pdfs", "schedule")
    empty.faults.clear()

    wanted_pdfs.want_one(one(Invoice))
    db.session.commit()
    sync(integration, "pdfs", "schedule")

    assert one(InvoicePdf).state == "here"
    assert rows(ExceptionItem, state="open") == []


def test_files_are_a_partners_own(synced) -> None:
    from tests import factories

    sync(synced[0], "pdfs", "schedule")
    key = one(InvoicePdf).storage_key
    other = factories.tenant()
    with factories.inside(other):
        assert storage.get(other.id, key) is None


def test_pdfs_of_open_invoices_are_read_again_once_a_week(synced, empty: Sandbox, superuser) -> None:
    """One request a week for each; nothing of a failed look is lost."""
    integration, key = synced
    sync(integration, "pdfs", "schedule")
    stored = one(InvoicePdf).storage_key

    def a_week_later() -> dict[str, int]:
        superuser.execute("UPDATE invoice_pdf SET fetched_at = fetched_at - interval '8 days'")
        return sync(integration, "pdfs", "schedule").items["pdfs"]

    assert sync(integration, "pdfs", "schedule").items["pdfs"]["found"] == 0
    assert a_week_later()["unchanged"] == 1
    empty.faults.add("F31", entity="Invoices")
    assert a_week_later()["failed"] == 1
    empty.faults.clear()
    assert (one(InvoicePdf).state, one(InvoicePdf).storage_key) == ("here", stored)
    empty.change_invoice(key, paidDate="2026-11-20")
    sync(integration, "unpaid", "schedule")
    assert a_week_later()["found"] == 0


def test_an_older_pdf_is_shown_while_a_newer_one_is_awaited(synced, empty: Sandbox, browse, at) -> None:
    integration, key = synced
    browser, page = browse(), at(f"/invoices/{one(Invoice).id}")
    assert "Waiting: it comes with the next hourly sync." in browser.get(page).text
    sync(integration, "pdfs", "schedule")

    empty.change_invoice(key, invoiceNumber="INV-1-B")
    sync(integration, "unpaid", "schedule")

    assert "A newer one comes with the next hourly sync." in browser.get(page).text
    assert browser.get(f"{page}/pdf").mimetype == "application/pdf"


def test_a_storage_that_refuses_ends_the_run_with_the_reason(synced, browse, at, monkeypatch) -> None:
    integration, _ = synced

    def refuse(*_: object) -> None:
        raise storage.StorageFailed(storage.REFUSED)

    monkeypatch.setattr(storage, "put", refuse)
    run = sync(integration, "pdfs", "schedule")
    assert (run.state, run.error) == ("failed", storage.REFUSED)
    assert one(InvoicePdf).state == "waiting"

    monkeypatch.undo()
    sync(integration, "pdfs", "schedule")
    monkeypatch.setattr(storage, "get", refuse)
    invoice = at(f"/invoices/{one(Invoice).id}")
    answer = browse().get(f"{invoice}/pdf", follow_redirects=True)
    assert "refuses the portal: its key may not use the bucket" in answer.text


def test_a_pdf_that_kills_its_worker_three_times_is_put_aside_and_the_others_come_in(
    empty: Sandbox, connect, superuser
) -> None:
    """The run that asks for it goes on without it; a person can have it asked for again."""
    company = empty.add_company(companyName="Contoso")
    keys = [empty.add_invoice(companyID=company, lines=[{"rate": "10.00"}]) for _ in range(3)]
    integration = connect(empty)
    sync(integration)
    run = runs.start(integration, "pdfs", "schedule", ACTOR)
    db.session.commit()
    tenant_id, run_id = integration.tenant_id, run.id

    def die() -> None:
        real = Client.invoice_pdf

        def fetch(self: Client, autotask_id: int):
            if autotask_id == keys[1]:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, autotask_id)

        Client.invoice_pdf = fetch  # type: ignore[method-assign]
        perform.perform(run_id)

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    for _ in range(3):
        assert children.start(app, tenant_id, die).wait() == -signal.SIGKILL
        superuser.execute("UPDATE sync_run SET lease_until = now() - interval '1 second'")
        superuser.execute("UPDATE call_slot SET held_until = NULL, token = NULL")

    assert perform.perform(run_id)

    ended = one(SyncRun, id=run_id)
    assert (ended.state, ended.items["pdfs"]["failed"]) == ("completed", 1)
    killer = one(InvoicePdf, state="unavailable")
    assert killer.reason.startswith("Three times in a row the portal's own process died")
    assert len(rows(InvoicePdf, state="here")) == 2
    (told,) = rows(ExceptionItem, state="open")
    assert (told.cause, told.invoice_id) == ("pdf_unavailable", killer.invoice_id)
    superuser.execute("UPDATE invoice_pdf SET wanted_at = now() - interval '30 days'")
    wanted_pdfs.try_unavailable_again()
    assert one(InvoicePdf, id=killer.id).state == "unavailable", "not by itself"
    wanted_pdfs.want_one(one(Invoice, id=killer.invoice_id))
    db.session.commit()
    sync(integration, "pdfs", "schedule")
    assert one(InvoicePdf, id=killer.id).state == "here"
