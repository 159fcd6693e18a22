"""The preview of filters adds up, and says what the next sync then does (rule 2.5)."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.models import Contact, Customer, Integration, Invoice
from portal.sync import filter_choices, filter_preview, filter_preview_there
from portal.sync.filter_preview_here import Change, Preview
from sandbox import Sandbox
from tests import factories
from tests.how_many import how_many
from tests.sync.conftest import ACTOR, one, rows, sync

# Pairs of filters that are compared; PREVIEW_PAIRS=300 plays longer.
PAIRS = how_many("PREVIEW_PAIRS")
SEED = int(os.environ.get("PREVIEW_SEED", "1"))

KINDS = {"customers": Customer, "contacts": Contact, "invoices": Invoice}
OPEN = ("open", "part_paid")
Inside = dict[str, dict[int, tuple[str, Decimal]]]


def fill(sandbox: Sandbox, random: Random) -> None:
    """Customers with every mixture of attributes; invoices of every state, sign, age and currency."""
    euro = next(row["id"] for row in sandbox.rows("Currencies") if row["name"] == "EUR")
    for number in range(9):
        company = sandbox.add_company(
            companyName=f"Company {number}",
            companyType=random.choice([1, 2, 3]),
            classification=random.choice([None, 7, 8]),
            territoryID=random.choice([None, 5]),
            marketSegmentID=random.choice([None, 3, 4]),
            isActive=random.random() < 0.7,
            **({"currencyID": euro} if number % 3 == 0 else {}),
        )
        for _ in range(random.randint(0, 2)):
            sandbox.add_contact(
                companyID=company,
                billingContact=random.random() < 0.5,
                userDefinedFields={"Receives Invoices": random.choice(["Yes", "No"])},
            )
        for _ in range(random.randint(0, 4)):
            sandbox.add_invoice(companyID=company, **invoice(random))


def invoice(random: Random) -> dict[str, Any]:
    return {
        "invoiceTotal": random.choice(["0", "10.00", "52.7775", "-20.00", "99.99"]),
        "createDateTime": datetime(2026, random.choice([3, 6, 10]), 1, tzinfo=UTC),
        "paidDate": random.choice([None, None, date(2026, 11, 1)]),
        "isVoided": random.random() < 0.1,
    }


def some_filters(random: Random) -> SyncFilters:
    def some(*values: int) -> tuple[int, ...]:
        return tuple(value for value in values if random.random() < 0.7) if random.random() < 0.35 else ()

    contacts = random.choice(["all", "billing", "field"])
    named = {"contact_field": "Receives Invoices", "contact_value": "Yes"} if contacts == "field" else {}
    return SyncFilters(
        company_types=some(1, 2),
        classifications=some(7, 8),
        territories=some(5),
        market_segments=some(3, 4),
        active_only=random.random() < 0.3,
        invoices_since=random.choice([None, None, date(2026, 5, 1), date(2026, 9, 1)]),
        skip_zero_totals=random.random() < 0.4,
        contacts=contacts,
        **named,
    )


def inside() -> Inside:
    """{kind: {id: (currency, open amount)}} of what is inside the filters here, and not missing."""
    return {
        kind: {
            row.id: (row.currency, row.outstanding if row.status in OPEN else Decimal(0))
            if kind == "invoices"
            else ("", Decimal(0))
            for row in rows(model)
            if row.integration_id and not row.outside_filters_at and not row.missing_since
        }
        for kind, model in KINDS.items()
    }


def told(change: Change) -> list[tuple[int, dict[str, Decimal]]]:
    return [(part.number, part.open_amounts) for part in (change.enter, change.leave, change.stay)]


def happened(before: Inside, after: Inside, kind: str) -> list[tuple[int, dict[str, Decimal]]]:
    old, new = before[kind], after[kind]
    parts = (new.keys() - old.keys(), old.keys() - new.keys(), old.keys() & new.keys())
    found = []
    for part, side in zip(parts, (new, old, old), strict=True):
        amounts: dict[str, Decimal] = {}
        for key in part:
            currency, amount = side[key]
            if amount:
                amounts[currency] = amounts.get(currency, Decimal(0)) + amount
        found.append((len(part), amounts))
    return found


def check_sums(found: Preview, here: Inside) -> None:
    """Three disjoint parts: two of them are all that is here, two all that will be, of what Autotask has."""
    for kind in KINDS:
        change = getattr(found, kind)
        assert change.leave.number + change.stay.number == len(here[kind]), kind
    for change, whole in ((found.customers, found.all_customers), (found.invoices, found.all_invoices)):
        assert 0 <= change.inside_then <= whole
    for part in (found.invoices.enter, found.invoices.leave, found.invoices.stay):
        assert all(amount > 0 for amount in part.open_amounts.values())


@pytest.fixture
def autotask(empty: Sandbox, connect: Callable[..., Integration]) -> Integration:
    fill(empty, Random(SEED))
    integration = connect(empty)
    sync(integration)
    pay_some(Random(SEED))
    return integration


def pay_some(random: Random) -> None:
    """Payments here keep their weight while an invoice is outside."""
    for row in rows(Invoice):
        if row.is_payable and random.random() < 0.3:
            factories.payment((row, str(row.outstanding / 2 if row.outstanding > 1 else row.outstanding)[:4]))


def test_any_change_of_filters_does_what_its_preview_said(autotask: Integration, empty: Sandbox) -> None:
    random = Random(SEED)
    for number in range(PAIRS):
        new, before = some_filters(random), inside()
        found = filter_preview.of(autotask, new)
        check_sums(found, before)
        filter_choices.save(ACTOR, autotask, new)
        db.session.commit()
        if random.random() < 0.2:  # saved, and changed once more before a sync came
            continue
        sync(autotask, "new", "schedule")
        after = inside()
        for kind in KINDS:
            assert told(getattr(found, kind)) == happened(before, after, kind), (number, kind, new)


def test_a_preview_that_would_take_too_many_requests_says_what_it_did_not_count(
    autotask: Integration, browse: Callable[..., Any], at: Callable[[str], str], monkeypatch: Any
) -> None:
    """Counts come from Autotask's own count; no amount is cut, and no sum is of a part."""
    autotask.filters = SyncFilters(company_types=(2,)).to_dict()
    db.session.commit()
    sync(autotask, "new", "schedule")
    whole = filter_preview.of(autotask, SyncFilters())
    assert whole.invoices.enter.number
    assert whole.invoices.enter.open_amounts

    monkeypatch.setattr(filter_preview_there, "MOST_PAGES", 0)
    part = filter_preview.of(autotask, SyncFilters())
    assert [part.customers, part.contacts] == [whole.customers, whole.contacts]
    assert part.invoices.enter.number == whole.invoices.enter.number
    assert (part.invoices.enter.open_amounts, part.invoices.enter.added_up) == ({}, False)
    page = browse("manager").post(at("/integrations/autotask/filters/preview"), data={"contacts": "all"}).text
    assert "are not added up, because reading that many would take too many requests" in page

    fewer = filter_preview.of(autotask, SyncFilters(company_types=(1,)))
    assert not fewer.invoices.enter.counted
    data = {"contacts": "all", "company_types": "1"}
    page = browse("manager").post(at("/integrations/autotask/filters/preview"), data=data).text
    assert "What comes in is counted by the next sync" in page


def test_the_first_preview_is_of_the_currencies_that_come_in(autotask: Integration) -> None:
    """Before the first sync nothing is here, and Autotask's currencies were never read."""
    expected = filter_preview.of(autotask, SyncFilters()).invoices.stay
    for model in (Contact, Invoice, Customer):
        for row in rows(model):
            row.outside_filters_at = datetime.now(UTC)
    autotask.currencies = None
    db.session.commit()

    found = filter_preview.of(autotask, SyncFilters())

    assert found.invoices.enter.open_amounts == expected.open_amounts
    assert set(expected.open_amounts) == {"EUR", "USD"}


def test_in_the_secondary_role_filters_change_nothing_and_the_preview_says_so(
    autotask: Integration, browse: Callable[..., Any], at: Callable[[str], str]
) -> None:
    autotask.role = "secondary"
    db.session.commit()
    page = browse("manager").post(
        at("/integrations/autotask/filters/preview"), data={"contacts": "all", "company_types": "1"}
    )
    assert "so filters change nothing" in page.text
    found = filter_preview.of(one(Integration), SyncFilters(company_types=(1,)))
    assert (found.customers.leave.number, found.invoices.enter.number) == (0, 0)


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(
    "absurd",
    [
        {"company_types": str(10**30)},
        {"company_types": "-1"},
        {"territories": "999999999"},
        {"classifications": "NaN"},
        {"market_segments": "9" * 5000},
        {"invoices_since": "0001-01-01"},
        {"invoices_since": "9999-12-31"},
        {"contacts": "field", "contact_field": "a\x00b", "contact_value": "Yes"},
    ],
)
def test_an_absurd_filter_is_refused_in_words(
    autotask: Integration, browse: Callable[..., Any], at: Callable[[str], str], absurd: dict[str, str]
) -> None:
    browser = browse("manager")
    for address in ("/integrations/autotask/filters/preview", "/integrations/autotask/filters"):
        answer = browser.post(at(address), data={"contacts": "all", **absurd})
        assert answer.status_code == 422, answer.text[-2000:]
    assert one(Integration).filters == {}
