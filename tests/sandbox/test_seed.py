"""The seeded data: the same for a seed, and like a real managed service provider's."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.schema import ENTITIES
from sandbox.seed import sow
from sandbox.seed.reference import RATES
from sandbox.world import World
from tests.sandbox.conftest import TODAY


def texts(seed: int, customers: int = 20, invoices: int = 120, today: date = TODAY) -> dict[str, list[str]]:
    world = World()
    sow(world, seed, customers, invoices, today)
    return {name: [world.db[name].rows[key].json(True) for key in world.db[name].ids] for name in ENTITIES}


@pytest.fixture(scope="module")
def msp() -> Sandbox:
    """A managed service provider of some size; not listening, only looked at."""
    return Sandbox(seed=7, customers=60, invoices=2_400, today=TODAY)


def test_the_same_seed_gives_the_same_data_and_another_one_other_data() -> None:
    assert texts(7) == texts(7)
    assert texts(7)["Invoices"] != texts(8)["Invoices"]


def test_data_leads_up_to_the_day_it_is_made_for() -> None:
    later = texts(7, today=TODAY + timedelta(days=100))

    assert f'"invoiceDateTime":"{TODAY + timedelta(days=100)}T00:00:00Z"' in later["Invoices"][-1]


def test_no_customers_means_reference_data_only() -> None:
    counts = {name: len(rows) for name, rows in texts(7, 0, 0).items() if rows}

    assert counts == {
        "InvoiceTemplates": 2,
        "PaymentTerms": 4,
        "TaxRegions": 7,
        "Currencies": 5,
        "UserDefinedFieldDefinitions": 4,
    }


def test_invoices_without_customers_are_refused() -> None:
    with pytest.raises(ValueError, match="invoices need customers"):
        texts(7, 0, 5)


def test_there_is_company_zero_and_vendors_prospects_and_inactive_customers(msp: Sandbox) -> None:
    companies = msp.rows("Companies")

    assert companies[0]["id"] == 0
    assert {1, 3, 7} <= {row["companyType"] for row in companies}
    assert sum(row["companyType"] == 1 and row["id"] > 0 for row in companies) == 60
    assert any(not row["isActive"] for row in companies)
    assert {row["currencyID"] for row in companies} == {1, 2, 3, 4, 5}


def test_some_names_are_long_or_odd(msp: Sandbox) -> None:
    names = [row["companyName"] for row in msp.rows("Companies")]

    assert any(len(name) > 90 for name in names)
    assert any(not name.isascii() for name in names)
    assert any(name.startswith("=") for name in names)


def test_every_company_has_contacts_of_whom_one_is_primary(msp: Sandbox) -> None:
    contacts = msp.rows("Contacts")
    primary = Counter(row["companyID"] for row in contacts if row["primaryContact"])

    assert set(primary) == {row["id"] for row in msp.rows("Companies") if row["id"]}
    assert set(primary.values()) == {1}
    assert {row["isActive"] for row in contacts} == {0, 1}
    assert {True, False} == {row["billingContact"] for row in contacts}


def lines_by_invoice(msp: Sandbox) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for line in msp.rows("BillingItems"):
        found.setdefault(line["invoiceID"], []).append(line)
    return found


@pytest.mark.parametrize("totals", ["without_tax", "with_tax"])
def test_every_invoice_is_the_sum_of_its_lines_to_the_last_decimal(totals: str) -> None:
    msp = Sandbox(seed=7, customers=30, invoices=300, today=TODAY, totals=totals)
    lines = lines_by_invoice(msp)

    for invoice in msp.rows("Invoices"):
        own = lines.get(invoice["id"], [])
        if invoice["isVoided"]:
            assert own == []
            continue
        tax = sum((line["taxDollars"] for line in own), Decimal(0))
        net = sum((line["extendedPrice"] for line in own), Decimal(0))
        assert invoice["totalTaxValue"] == tax
        assert invoice["invoiceTotal"] == (net + tax if totals == "with_tax" else net)


def test_lines_are_priced_and_taxed_by_their_region(msp: Sandbox) -> None:
    region = {row["id"]: row["taxGroup"] for row in msp.rows("Invoices")}
    step = Decimal("0.0001")

    for line in msp.rows("BillingItems"):
        assert abs(line["quantity"] * line["rate"] - line["extendedPrice"]) <= step
        assert line["totalAmount"] == line["extendedPrice"] + line["taxDollars"]
        if line["invoiceID"] is not None:
            assert abs(line["extendedPrice"] * RATES[region[line["invoiceID"]]] - line["taxDollars"]) <= step


def test_an_invoice_has_about_four_lines_of_several_kinds(msp: Sandbox) -> None:
    lines = msp.rows("BillingItems")

    assert 3.5 < len(lines) / msp.count("Invoices") < 4.5
    assert {1, 3, 4, 5, 6} == {line["billingItemType"] for line in lines}
    assert any(
        line["extendedPrice"].as_tuple().exponent == -4 and line["extendedPrice"] % Decimal("0.01")
        for line in lines
    )
    assert any(line["extendedPrice"] < 0 for line in lines)


def test_there_are_credits_zero_totals_voids_and_odd_numbers(msp: Sandbox) -> None:
    invoices = msp.rows("Invoices")
    numbers = Counter(row["invoiceNumber"] for row in invoices if row["invoiceNumber"])

    assert any(row["invoiceTotal"] < 0 for row in invoices)
    assert any(row["invoiceTotal"] == 0 for row in invoices)
    assert any(row["isVoided"] and row["voidedDate"] for row in invoices)
    assert {None, ""} <= {row["invoiceNumber"] for row in invoices}
    assert max(numbers.values()) == 2


def test_a_realistic_share_is_unpaid_and_overdue(msp: Sandbox) -> None:
    due = [row for row in msp.rows("Invoices") if not row["isVoided"] and row["invoiceTotal"] > 0]
    unpaid = [row for row in due if row["paidDate"] is None]
    overdue = [row for row in unpaid if row["dueDate"][:10] < TODAY.isoformat()]

    assert 0.05 < len(unpaid) / len(due) < 0.2
    assert 0.2 < len(overdue) / len(unpaid) < 0.8
    assert all(
        row["invoiceDateTime"] < row["paidDate"] <= f"{TODAY}T00:00:00Z" for row in due if row["paidDate"]
    )


def test_sixty_invoices_show_every_kind() -> None:
    small = Sandbox(seed=3, customers=20, invoices=60, today=TODAY)
    invoices = small.rows("Invoices")

    assert any(row["invoiceTotal"] < 0 for row in invoices)
    assert any(row["invoiceTotal"] == 0 for row in invoices)
    assert any(row["isVoided"] for row in invoices)
    assert any(row["invoiceNumber"] is None for row in invoices)
    assert any(row["paidDate"] for row in invoices)


def test_ids_ascend_with_gaps_and_time(msp: Sandbox) -> None:
    invoices = msp.rows("Invoices")
    ids = [row["id"] for row in invoices]

    assert ids == sorted(ids)
    assert ids[-1] - ids[0] > len(ids)
    assert [row["invoiceDateTime"] for row in invoices] == sorted(row["invoiceDateTime"] for row in invoices)


def test_what_is_added_later_gets_ids_above_all_others(start: Callable[..., Sandbox]) -> None:
    sb = start(customers=3, invoices=5)
    last = sb.rows("Invoices")[-1]["id"]

    assert sb.add_invoice(companyID=sb.rows("Companies")[1]["id"]) == last + 1
