"""Queries in Autotask's language, and the partner's sync filters in both of their forms (rule 2)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask import filters
from portal.autotask.filters import (
    SyncFilters,
    contact_conditions,
    customer_conditions,
    invoice_conditions,
    matches_contact,
    matches_customer,
    matches_invoice,
)

INSTANT = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


def every_condition(condition: Any) -> Any:
    if isinstance(condition, list):
        return [leaf for item in condition for leaf in every_condition(item)]
    return every_condition(condition["items"]) if "items" in condition else [condition]


def test_everything_includes_the_partners_own_company():
    assert filters.everything() == {"op": "gte", "field": "id", "value": 0}


def test_an_empty_filter_is_never_sent():
    """Autotask refuses a query without a filter."""
    assert filters.listed([]) == [filters.everything()]
    assert filters.listed(filters.id_above(7)) == [{"op": "gt", "field": "id", "value": 7}]


def test_conditions_can_be_grouped():
    one, other = filters.id_above(7), filters.equals("isActive", True)
    assert filters.all_of(one, other) == {"op": "and", "items": [one, other]}
    assert filters.any_of(one, other) == {"op": "or", "items": [one, other]}


def test_changes_since_are_asked_for_in_utc():
    condition = filters.modified_since("lastTrackedModifiedDateTime", INSTANT)
    assert condition == {
        "op": "gte",
        "field": "lastTrackedModifiedDateTime",
        "value": "2026-11-22T14:30:00.000Z",
    }


@given(st.lists(st.integers(0, 2**40), max_size=1200))
def test_ids_are_asked_for_once_each_in_portions(ids):
    portions = list(filters.ids_in("id", ids))
    assert all(1 <= len(portion["value"]) <= 200 for portion in portions)
    assert [i for portion in portions for i in portion["value"]] == sorted(set(ids))


def test_unpaid_invoices_are_asked_for_by_fields_that_can_be_queried():
    fields = {leaf["field"] for leaf in every_condition(filters.unpaid_invoices())}
    assert fields == {"paidDate", "isVoided"}
    assert {"op": "notExist", "field": "paidDate"} in filters.unpaid_invoices()


def test_no_filters_mean_everything():
    """Rule 2.1."""
    none = SyncFilters()
    assert none.empty
    assert customer_conditions(none) == contact_conditions(none) == invoice_conditions(none) == []
    for matches in (matches_customer, matches_contact, matches_invoice):
        assert matches(none, {})


def test_several_values_are_or_and_several_filters_are_and():
    """Rule 2.3."""
    chosen = SyncFilters(company_types=(3, 1), territories=(5,), active_only=True)
    assert customer_conditions(chosen) == [
        {"op": "in", "field": "companyType", "value": [1, 3]},
        {"op": "in", "field": "territoryID", "value": [5]},
        {"op": "eq", "field": "isActive", "value": True},
    ]
    inside = {"company_type": 3, "territory_id": 5, "active": True}
    assert matches_customer(chosen, inside)
    for change in ({"company_type": 2}, {"territory_id": 6}, {"active": False}):
        assert not matches_customer(chosen, {**inside, **change})


@pytest.mark.parametrize(
    ("name", "field", "ours"),
    [
        ("company_types", "companyType", "company_type"),
        ("classifications", "classification", "classification"),
        ("territories", "territoryID", "territory_id"),
        ("market_segments", "marketSegmentID", "market_segment_id"),
    ],
)
def test_a_record_without_the_attribute_is_outside(name, field, ours):
    """Rule 2.3."""
    chosen = SyncFilters(**{name: (7,)})
    assert customer_conditions(chosen) == [{"op": "in", "field": field, "value": [7]}]
    assert matches_customer(chosen, {ours: 7})
    assert not matches_customer(chosen, {ours: None})
    assert not matches_customer(chosen, {})


def test_billing_contacts_only():
    chosen = SyncFilters(contacts="billing")
    assert contact_conditions(chosen) == [{"op": "eq", "field": "billingContact", "value": True}]
    assert matches_contact(chosen, {"billing": True})
    assert not matches_contact(chosen, {"billing": False})
    assert not matches_contact(chosen, {})


def test_contacts_by_a_user_defined_field():
    chosen = SyncFilters(contacts="field", contact_field="Gets Invoices", contact_value="Yes")
    assert contact_conditions(chosen) == [{"op": "eq", "field": "Gets Invoices", "value": "Yes", "udf": True}]
    assert matches_contact(chosen, {"user_defined": {"gets invoices": " yes "}})
    assert not matches_contact(chosen, {"user_defined": {"Gets Invoices": "No"}})
    assert not matches_contact(chosen, {"user_defined": {"Yes": "Gets Invoices"}})
    assert not matches_contact(chosen, {})


def test_invoices_since_a_day_begin_at_midnight_in_the_partners_zone():
    chosen = SyncFilters(invoices_since=date(2026, 7, 1))
    assert invoice_conditions(chosen, "America/New_York")[0] == {
        "op": "gte",
        "field": "createDateTime",
        "value": "2026-07-01T04:00:00.000Z",
    }
    midnight = datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert matches_invoice(chosen, {"created_at": midnight}, "America/New_York")
    assert not matches_invoice(chosen, {"created_at": midnight - timedelta(seconds=1)}, "America/New_York")
    assert not matches_invoice(chosen, {"created_at": None}, "America/New_York")


def test_zero_totals_can_be_skipped():
    chosen = SyncFilters(skip_zero_totals=True)
    assert invoice_conditions(chosen) == [{"op": "noteq", "field": "invoiceTotal", "value": 0}]
    assert matches_invoice(chosen, {"total_raw": -5})
    assert not matches_invoice(chosen, {"total_raw": 0})


value_lists = st.lists(st.integers(-5, 10**9), max_size=20, unique=True).map(lambda ids: tuple(sorted(ids)))
words = st.text(alphabet="abc XYZ=", min_size=1, max_size=20).map(lambda text: text.strip() or "x")
chosen_filters = st.builds(
    SyncFilters,
    company_types=value_lists,
    classifications=value_lists,
    territories=value_lists,
    market_segments=value_lists,
    active_only=st.booleans(),
    invoices_since=st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    skip_zero_totals=st.booleans(),
    contacts=st.sampled_from(["all", "billing", "field"]),
    contact_field=words,
    contact_value=words,
)


@given(chosen_filters)
def test_filters_are_stored_and_read_back_unchanged(chosen):
    assert SyncFilters.from_dict(chosen.to_dict()) == chosen


@given(chosen_filters)
def test_no_query_breaks_autotasks_limits(chosen):
    """At most 500 OR conditions and one user-defined field in a query."""
    for conditions in (customer_conditions(chosen), contact_conditions(chosen), invoice_conditions(chosen)):
        leaves = every_condition(conditions)
        ors = sum(len(leaf["value"]) if leaf["op"] == "in" else 1 for leaf in leaves)
        assert ors <= 500
        assert sum(leaf.get("udf", False) for leaf in leaves) <= 1


@given(st.none() | st.dictionaries(st.sampled_from(list(SyncFilters().to_dict())), st.integers() | st.text()))
def test_any_stored_json_is_filters_or_a_sentence(stored):
    try:
        sentence = repr(SyncFilters.from_dict(stored)) + "."
    except ValueError as error:
        sentence = str(error)
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ({"company_type": [1]}, "There is no filter named company_type."),
        ({"company_types": ["1"]}, "Choose the filter's values from the list."),
        ({"company_types": [True]}, "Choose the filter's values from the list."),
        ({"company_types": list(range(401))}, "Choose at most 400 values in all filters together."),
        ({"contacts": "some"}, "Choose which contacts are synced."),
        ({"contacts": "field", "contact_field": "x"}, "Name the user-defined field"),
        ({"invoices_since": "yesterday"}, "Enter a day"),
        ({"active_only": "maybe"}, "on or off"),
        ({"contact_field": "x" * 300}, "at most 255 characters"),
    ],
)
def test_filters_that_make_no_sense_are_refused_in_plain_words(stored, sentence):
    with pytest.raises(ValueError, match=sentence):
        SyncFilters.from_dict(stored)
