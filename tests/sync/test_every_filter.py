"""Each filter by itself: the preview, the query to Autotask and the hourly look at what changed say the same."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Contact, Customer, Integration, Invoice
from portal.sync import filter_choices, filter_preview
from sandbox import Sandbox
from tests.sync.conftest import ACTOR, rows, sync

OLD, NEW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)

# The filters, then who is inside: customers, contacts, invoices.
EACH: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "ABC", "abc", "ABC"),
    ({"company_types": (1,)}, "A", "a", "A"),
    ({"company_types": (1, 2)}, "AB", "ab", "AB"),
    ({"classifications": (7,)}, "AB", "ab", "AB"),
    ({"territories": (5,)}, "B", "b", "B"),
    ({"market_segments": (3,)}, "A", "a", "A"),
    ({"active_only": True}, "AC", "ac", "AC"),
    ({"classifications": (7,), "active_only": True}, "A", "a", "A"),
    ({"invoices_since": date(2026, 10, 1)}, "ABC", "abc", "AB"),
    ({"skip_zero_totals": True}, "ABC", "abc", "AC"),
    ({"contacts": "billing"}, "ABC", "b", "ABC"),
    ({"contacts": "field", "contact_field": "Receives Invoices", "contact_value": "Yes"}, "ABC", "ac", "ABC"),
]


def fill(sandbox: Sandbox) -> None:
    """Three customers, each with one contact and one invoice; C has no attribute at all."""
    wanted: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ("A", {"companyType": 1, "classification": 7, "marketSegmentID": 3}, {}, {"createDateTime": NEW}),
        (
            "B",
            {"companyType": 2, "classification": 7, "territoryID": 5, "isActive": False},
            {"billingContact": True, "userDefinedFields": {"Receives Invoices": "No"}},
            {"createDateTime": NEW, "invoiceTotal": "0"},
        ),
        ("C", {"companyType": None}, {}, {"createDateTime": OLD}),
    ]
    for name, company, contact, invoice in wanted:
        key = sandbox.add_company(companyName=name, **company)
        contact.setdefault("userDefinedFields", {"Receives Invoices": "Yes"})
        sandbox.add_contact(companyID=key, firstName=name.lower(), **contact)
        sandbox.add_invoice(companyID=key, invoiceNumber=name, **{"invoiceTotal": "10.00", **invoice})


def inside() -> tuple[str, str, str]:
    """Names of the customers, contacts and invoices that are inside the filters here."""
    return (
        "".join(sorted(row.name for row in rows(Customer) if not row.outside_filters_at)),
        "".join(sorted(row.first_name for row in rows(Contact) if not row.outside_filters_at)),
        "".join(sorted(row.number for row in rows(Invoice) if not row.outside_filters_at)),
    )


def touch_all(sandbox: Sandbox) -> None:
    """Everything changes a little, so that the hourly run reads it without a filter."""
    for row in sandbox.rows("Companies"):
        sandbox.change_company(row["id"], phone="+1 555 0199")
    for row in sandbox.rows("Contacts"):
        sandbox.change_contact(row["id"], lastName="Changed")


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("chosen", "customers", "contacts", "invoices"), EACH)
def test_every_filter_brings_in_the_same_wherever_it_is_applied(
    connect: Callable[..., Integration],
    empty: Sandbox,
    chosen: dict[str, Any],
    customers: str,
    contacts: str,
    invoices: str,
) -> None:
    """Rules 2.2, 2.3 and 2.5: choices of one filter are OR, filters are AND, without the attribute is outside."""
    fill(empty)
    integration, wanted = connect(empty), (customers, contacts, invoices)
    sync(integration)
    new = SyncFilters(**chosen)

    told = filter_preview.of(integration, new)
    filter_choices.save(ACTOR, integration, new)
    assert inside() == ("ABC", "abc", "ABC")  # in force from the next run on
    sync(integration, "new", "schedule")

    assert inside() == wanted
    for change, left in zip((told.customers, told.contacts, told.invoices), wanted, strict=True):
        assert (change.enter.number, change.leave.number, change.stay.number) == (0, 3 - len(left), len(left))
    touch_all(empty)
    sync(integration, "new", "schedule")
    sync(integration, "unpaid", "schedule")
    assert inside() == wanted
    assert [row for row in rows(Invoice) if row.missing_since or row.archived_at] == []

    told = filter_preview.of(integration, SyncFilters())
    entering = [told.customers.enter.number, told.contacts.enter.number, told.invoices.enter.number]
    assert entering == [3 - len(left) for left in wanted]
    filter_choices.save(ACTOR, integration, SyncFilters())
    db.session.commit()
    sync(integration, "new", "schedule")
    assert inside() == ("ABC", "abc", "ABC")
