"""The pages of sync: runs, preferences, and what the integration's page promises."""

from portal.extensions import db
from portal.models import Integration
from portal.sync import perform, runs
from sandbox import Sandbox
from tests.reading import value
from tests.sync.conftest import planned, sync

POLL = {"HX-Request": "true", "X-Portal-Poll": "page"}


def text(answer) -> str:
    assert answer.status_code == 200, answer.get_data(as_text=True)[:2000]
    return " ".join(answer.get_data(as_text=True).split())


def test_the_page_of_a_run_tells_trigger_counts_and_requests(connect, sandbox, browse, at) -> None:
    run = sync(connect(sandbox))

    page = text(browse("reader").get(at(f"/sync-runs/{run.id}")))

    assert "Completed in" in page
    assert "By an operator" in page
    assert "No filters: everything comes in." in page
    assert f'<td class="num" data-label="New">{sandbox.count("Invoices")}</td>' in page


def test_a_run_that_waits_asks_again_and_one_that_ended_does_not(connect, sandbox, browse, at) -> None:
    integration = connect(sandbox)
    run = sync_started(integration)
    browser = browse()

    assert 'hx-trigger="every 1s' in text(browser.get(at(f"/sync-runs/{run}"), headers=POLL))
    perform.perform(run)
    db.session.commit()

    assert "every 1s" not in text(browser.get(at(f"/sync-runs/{run}"), headers=POLL))


def sync_started(integration: Integration) -> int:
    from tests.sync.conftest import ACTOR

    run = runs.start(integration, "all", "button", ACTOR)
    db.session.commit()
    return run.id


def test_a_pressed_fetch_starts_one_run_and_the_next_press_says_when(connect, sandbox, browse, at) -> None:
    """Rule 3.5."""
    planned(connect(sandbox))
    browser = browse("manager")

    first = browser.post(at("/sync-runs"), data={"kind": "unpaid"})
    again = browser.post(at("/sync-runs"), data={"kind": "unpaid"})

    assert first.status_code == again.status_code == 303
    assert first.location == again.location
    perform.perform(int(first.location.rpartition("/")[2]))
    db.session.commit()
    refused = browser.post(at("/sync-runs"), data={"kind": "unpaid"}, follow_redirects=True)
    assert "Fetch Unpaid Invoices can be started once per 12 hours. The next time is" in text(refused)


def test_readers_cannot_fetch(connect, sandbox, browse, at) -> None:
    connect(sandbox)
    assert browse("reader").post(at("/sync-runs"), data={"kind": "new"}).status_code == 403


def test_a_secondary_integration_has_no_manual_syncs(connect, sandbox, browse, at) -> None:
    """Rules 3.5 and 6."""
    connect(sandbox, role="secondary")
    page = text(browse().get(at("/integrations/autotask/preferences")))
    assert "Manual syncs exist only where Autotask is the primary integration." in page


def test_the_last_fetch_is_told_field_by_field(connect, sandbox: Sandbox, browse, at) -> None:
    integration = connect(sandbox)
    sync(integration)
    unpaid = next(row for row in sandbox.rows("Invoices") if not row["paidDate"] and not row["isVoided"])
    sandbox.change_invoice(unpaid["id"], invoiceTotal="777.00", totalTaxValue="0")
    sync(integration, "unpaid", "button")

    page = text(browse().get(at("/integrations/autotask/preferences")))

    assert "Amount due" in page
    assert '<td data-label="New value" class="wide">777.00</td>' in page


def test_the_integrations_page_shows_every_promise(connect, sandbox, browse, at) -> None:
    sync(connect(sandbox))
    page = text(browse().get(at("/integrations/autotask")))
    for item in ("New invoices", "Line items", "PDF invoices", "Deleted payments", "Deposits"):
        assert item in page


def test_the_history_is_searched_by_what_runs_changed(connect, sandbox: Sandbox, browse, at) -> None:
    integration = connect(sandbox)
    first = sync(integration)
    company = sandbox.rows("Companies")[3]
    sandbox.change_company(company["id"], companyName="Renamed Robotics")
    second = sync(integration, "new")

    page = text(browse().get(at("/sync-runs?q=renamed+robotics")))

    assert f'/sync-runs/{second.id}"' in page
    assert f'/sync-runs/{first.id}"' not in page


def test_changes_are_downloaded_as_csv(connect, sandbox: Sandbox, browse, at) -> None:
    integration = connect(sandbox)
    sync(integration)
    company = sandbox.rows("Companies")[3]
    sandbox.change_company(company["id"], companyName="=HYPERLINK(1)")
    run = sync(integration, "new")

    file = browse().get(at(f"/sync-runs/{run.id}/changes.csv")).get_data(as_text=True)

    assert f",Name,{company['companyName']},'=HYPERLINK(1)," in file


def bad_invoice(sandbox: Sandbox, company: int) -> int:
    return sandbox.add_invoice(companyID=company, invoiceTotal="10.00", invoiceNumber="BAD-1")


def test_an_exception_shows_both_values_and_is_resolved_with_a_reason_and_undone(
    connect, sandbox, browse, at
) -> None:
    """Rule 3.4."""
    from portal import attention
    from portal.models import Cause

    connect(sandbox)
    attention.open_item(
        Cause.OVERPAID,
        "invoice",
        "12",
        label="Invoice 12",
        detail="Too much.",
        ours={"paid": "5.00"},
        theirs={"amount_due": "4.00"},
    )
    db.session.commit()
    browser = browse("clerk")
    page = text(browser.get(at("/exceptions")))
    assert "1 thing needs you" in page
    assert "5.00" in page
    item_id = value(page, "item")

    refused = browser.post(
        at("/exceptions/resolve"), data={"item": item_id, "reason": "no"}, follow_redirects=True
    )
    assert refused.status_code == 422
    assert "Say why in at least 5 characters." in refused.text
    done = browser.post(
        at("/exceptions/resolve"),
        data={"item": item_id, "reason": "Customer gets it back"},
        follow_redirects=True,
    )
    assert "Nothing needs you." in text(done)
    assert "1 exception resolved" in text(done)
    undone = browser.post(at("/exceptions/reopen"), data={"item": item_id}, follow_redirects=True)
    assert "1 thing needs you" in text(undone)


def test_missing_invoices_are_archived_in_bulk_and_taken_back(connect, sandbox: Sandbox, browse, at) -> None:
    """Rule 3.9."""
    integration = connect(sandbox)
    sync(integration)
    unpaid = [row for row in sandbox.rows("Invoices") if not row["paidDate"] and not row["isVoided"]]
    sandbox.remove_invoice(unpaid[0]["id"])
    sync(integration, "unpaid")
    browser = browse("manager")
    page = text(browser.get(at("/missing")))
    assert "1 invoice was not in the last complete read" in page
    row = value(page, "id")

    done = text(
        browser.post(at("/missing/archive"), data={"kind": "invoice", "id": row}, follow_redirects=True)
    )
    assert "1 invoice archived" in done
    assert "Everything that is here is still in Autotask." in done
    back = text(
        browser.post(at("/missing/restore"), data={"kind": "invoice", "id": row}, follow_redirects=True)
    )
    assert "1 invoice was not in the last complete read" in back
