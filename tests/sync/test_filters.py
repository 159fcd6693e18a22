"""Filters: preview before saving, the next sync, marks (rules 2.1 to 2.5)."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import select

from portal.extensions import db
from portal.models import AuditEvent, Customer, Integration, Invoice
from portal.sync import cursors
from sandbox import Sandbox
from tests.reading import value
from tests.sync.conftest import sync


@pytest.fixture
def autotask(empty: Sandbox) -> Sandbox:
    """Two customers of type 1 and one of type 3, each with one unpaid invoice."""
    for number, kind in ((1, 1), (2, 1), (3, 3)):
        company = empty.add_company(companyName=f"Company {number}", companyType=kind, isActive=True)
        empty.add_contact(companyID=company, lastName=f"Contact {number}", billingContact=number == 1)
        line = {"rate": "100.00", "taxDollars": "7"}
        empty.add_invoice(companyID=company, invoiceNumber=f"INV-{number}", lines=[line])
    return empty


def rows(model) -> list:
    db.session.commit()
    return list(
        db.session.scalars(select(model).order_by(model.id).execution_options(populate_existing=True))
    )


def inside(model) -> int:
    return sum(row.outside_filters_at is None for row in rows(model))


def test_a_first_read_with_a_filter_brings_only_what_fits(
    connect: Callable[..., Integration], autotask
) -> None:
    """Rules 2.2 and 2.3."""
    integration = connect(autotask, filters={"company_types": [1], "contacts": "billing"})

    run = sync(integration)

    assert [row.name for row in rows(Customer)] == ["Company 1", "Company 2"]
    assert [row.number for row in rows(Invoice)] == ["INV-1", "INV-2"]
    assert run.items["contacts"]["created"] == 1
    assert run.items["line_items"]["created"] == 2


def test_what_leaves_a_filter_is_marked_and_never_archived(connect, autotask) -> None:
    """Rule 2.4."""
    integration = connect(autotask)
    sync(integration)
    integration.filters = {"company_types": [1]}
    cursors.forget(integration.id)
    db.session.commit()

    sync(integration, "new", "schedule")

    assert [row.outside_filters_at is not None for row in rows(Customer)] == [False, False, True]
    assert [row.agreement for row in rows(Invoice)][2] == "outside_filters"
    assert all(row.archived_at is None and row.missing_since is None for row in rows(Invoice))


def test_a_customer_that_changes_its_type_leaves_with_its_invoices_and_comes_back(connect, autotask) -> None:
    """Rule 2.4: seen by the hourly run, without reading everything."""
    integration = connect(autotask, filters={"company_types": [1]})
    sync(integration)
    second = rows(Customer)[1].autotask_id

    autotask.change_company(second, companyType=3)
    sync(integration, "new", "schedule")
    assert (inside(Customer), inside(Invoice)) == (1, 1)

    autotask.change_company(second, companyType=1)
    autotask.clear_requests()
    run = sync(integration, "new", "schedule")
    assert (inside(Customer), inside(Invoice)) == (2, 2)
    assert run.api_calls <= 6


def test_a_customer_that_comes_into_the_filter_brings_its_earlier_invoices(connect, autotask) -> None:
    integration = connect(autotask, filters={"company_types": [1]})
    sync(integration)

    autotask.change_company(autotask.rows("Companies")[2]["id"], companyType=1)
    sync(integration, "new", "schedule")

    assert [row.number for row in rows(Invoice)] == ["INV-1", "INV-2", "INV-3"]


def test_an_unpaid_read_asks_autotask_only_for_the_customers_inside(connect, autotask) -> None:
    integration = connect(autotask, filters={"company_types": [3]})
    sync(integration)
    autotask.clear_requests()

    run = sync(integration, "unpaid", "schedule")

    assert run.items["invoices"]["found"] == 1
    assert len(autotask.calls("Invoices")) == 1


def test_the_preview_tells_what_enters_leaves_and_stays_in_counts_and_money(connect, autotask) -> None:
    """Rule 2.5."""
    from portal.autotask.filters import SyncFilters
    from portal.sync import filter_preview

    integration = connect(autotask, filters={"company_types": [1]})
    sync(integration)

    found = filter_preview.of(integration, SyncFilters(company_types=(3,)))

    customers, invoices = found.customers, found.invoices
    assert [part.number for part in (customers.enter, customers.leave, customers.stay)] == [1, 2, 0]
    assert [part.number for part in (invoices.enter, invoices.leave, invoices.stay)] == [1, 2, 0]
    assert invoices.enter.open_amounts == {"USD": Decimal("107.00")}
    assert sum(invoices.leave.open_amounts.values()) == Decimal("214.00")
    assert (found.all_customers, found.all_invoices) == (3, 3)


def test_the_preview_counts_contacts_with_their_customers(connect, autotask) -> None:
    """Rule 2.5: a contact leaves and enters with its customer, and on its own by the contacts' filter."""
    from portal.autotask.filters import SyncFilters
    from portal.sync import filter_preview

    integration = connect(autotask)
    sync(integration)

    def contacts(**chosen) -> list[int]:
        found = filter_preview.of(integration, SyncFilters(**chosen)).contacts
        return [part.number for part in (found.enter, found.leave, found.stay)]

    assert contacts(company_types=(3,)) == [0, 2, 1]
    assert contacts(company_types=(1,), contacts="billing") == [0, 2, 1]
    integration.filters = {"company_types": [1], "contacts": "billing"}
    cursors.forget(integration.id)
    db.session.commit()
    sync(integration)
    assert contacts(company_types=(1,)) == [1, 0, 1]
    assert contacts(company_types=(3,)) == [1, 1, 0]
    assert contacts() == [2, 0, 1]


def test_saving_needs_the_preview_and_is_audited_with_before_and_after(connect, autotask, browse, at) -> None:
    """Rule 2.5."""
    integration = connect(autotask)
    sync(integration)
    browser = browse("manager")
    chosen = {"company_types": "1", "contacts": "all"}

    unseen = browser.post(at("/integrations/autotask/filters"), data=chosen).get_data(as_text=True)
    assert "What would change" in unseen
    assert integration_filters() == {}
    digest = value(unseen, "previewed")
    saved = browser.post(at("/integrations/autotask/filters"), data={**chosen, "previewed": digest})

    assert saved.status_code == 303
    assert integration_filters()["company_types"] == [1]
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "filters.changed")).one()
    assert event.details["before"]["company_types"] == []
    assert event.details["after"]["company_types"] == [1]


def integration_filters() -> dict:
    return rows(Integration)[0].filters
