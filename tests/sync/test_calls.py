"""Requests are the scarce thing: counted on the sandbox's own log (references: lower bounds per run)."""

from datetime import date
from math import ceil

from sandbox import Sandbox
from tests.sync.conftest import sync


def made(empty: Sandbox, customers: int = 3, invoices: int = 6) -> list[int]:
    companies = [empty.add_company(companyName=f"Company {number}") for number in range(customers)]
    for company in companies:
        empty.add_contact(companyID=company)
    return [
        empty.add_invoice(
            companyID=companies[number % customers],
            invoiceNumber=f"INV-{number}",
            lines=[{"rate": "10.00"}, {"rate": "5.00"}],
        )
        for number in range(invoices)
    ]


def asked(sandbox: Sandbox) -> list[str]:
    """Every request, as entity and verb, in order."""
    return [f"{call.entity} {call.verb}" for call in sandbox.requests]


def test_a_full_read_costs_a_request_a_page_and_five_counts(empty: Sandbox, connect) -> None:
    made(empty, customers=3, invoices=700)
    integration = connect(empty)

    run = sync(integration)

    pages = 1 + 1 + ceil(700 / 500) + ceil(1400 / 500)
    queries = [one for one in asked(empty) if one.endswith((" query", " next")) and "Currencies" not in one]
    assert len(queries) == pages
    assert len([one for one in asked(empty) if one.endswith(" count")]) == 5  # invoices afterwards, too
    assert (
        run.api_calls == len(empty.requests) == pages + 5 + 4
    )  # currencies, the budget and the filters' choices: four together
    assert run.items["line_items"]["created"] == 1400


def test_a_quiet_hour_costs_three_requests(empty: Sandbox, connect) -> None:
    """At most four: the fourth is a look at the budget, every five minutes at most."""
    made(empty)
    integration = connect(empty)
    sync(integration)
    empty.clear_requests()

    run = sync(integration, "new", "schedule")

    assert asked(empty) == ["Companies query", "Contacts query", "Invoices query"]
    assert run.api_calls == 3


def test_a_budget_not_looked_at_for_long_costs_the_fourth(empty: Sandbox, connect, superuser) -> None:
    made(empty)
    integration = connect(empty)
    sync(integration)
    superuser.execute("UPDATE integration SET usage_read_at = now() - interval '1 hour'")
    empty.clear_requests()

    sync(integration, "new", "schedule")

    assert len(asked(empty)) == 4
    assert asked(empty).count("ThresholdInformation threshold") == 1


def test_new_invoices_cost_one_more_request_for_their_lines(empty: Sandbox, connect) -> None:
    made(empty)
    integration = connect(empty)
    sync(integration)
    made(empty, customers=1, invoices=30)
    empty.clear_requests()

    sync(integration, "new", "schedule")

    assert asked(empty) == ["Companies query", "Contacts query", "Invoices query", "BillingItems query"]


def test_a_daily_run_costs_the_unpaid_pages_and_what_truly_changed(empty: Sandbox, connect) -> None:
    keys = made(empty, invoices=700)
    integration = connect(empty)
    sync(integration)
    empty.clear_requests()
    sync(integration, "unpaid", "schedule")
    assert asked(empty) == ["Invoices query", "Invoices next"]

    for key in keys[:5]:
        empty.change_invoice(key, paidDate=date(2026, 11, 20))
    empty.add_line(invoiceID=keys[10], rate="3.00")
    empty.clear_requests()
    sync(integration, "unpaid", "schedule")

    assert asked(empty) == ["Invoices query", "Invoices next", "Invoices query", "BillingItems query"]


def test_reading_everything_again_costs_the_same_and_writes_nothing(
    empty: Sandbox, connect, superuser
) -> None:
    """Rule 3.3."""
    made(empty)
    integration = connect(empty)
    sync(integration)
    before = superuser.execute(
        "SELECT id, xmin::text FROM invoice_line UNION ALL SELECT id, xmin::text FROM customer"
    ).fetchall()

    run = sync(integration)

    after = superuser.execute(
        "SELECT id, xmin::text FROM invoice_line UNION ALL SELECT id, xmin::text FROM customer"
    ).fetchall()
    assert sorted(before) == sorted(after)
    assert run.items["invoices"]["unchanged"] == 6


def test_no_more_than_three_requests_run_at_once(empty: Sandbox, connect) -> None:
    """Rule 3.6: the sandbox refuses a fourth."""
    made(empty, invoices=40)
    sync(connect(empty))
    assert all(empty.stats.max_parallel(entity) <= 3 for entity in ("Companies", "Invoices", "BillingItems"))


def test_a_pdf_run_costs_one_request_a_pdf_and_stops_at_its_cap(empty: Sandbox, connect, monkeypatch) -> None:
    monkeypatch.setattr("portal.sync.pdfs.MOST_IN_A_RUN", 4)
    made(empty, invoices=6)
    integration = connect(empty)
    sync(integration)
    empty.clear_requests()

    run = sync(integration, "pdfs", "schedule")

    assert asked(empty) == ["Invoices pdf"] * 4
    assert run.items["pdfs"]["skipped_because"] == {"left for the next run": 2}
