"""Filters: operators, groups, types, and what Autotask refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.conftest import EVERYTHING, Api, where


@pytest.fixture
def four(api: Api, sb: Sandbox) -> Api:
    """Companies 1 to 4; the last has no number."""
    for key, name, number in [
        (1, "Alpha", "A-1"),
        (2, "beta", "B-2"),
        (3, "Gamma Ray", "A-3"),
        (4, "Delta", None),
    ]:
        sb.add_company(id=key, companyName=name, companyNumber=number, isActive=key != 2, assetValue=key)
    return api


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (where("id", "eq", 2), [2]),
        (where("id", "noteq", 2), [1, 3, 4]),
        (where("id", "gt", 2), [3, 4]),
        (where("id", "gte", 2), [2, 3, 4]),
        (where("id", "lt", 2), [1]),
        (where("id", "lte", 2), [1, 2]),
        (where("id", "in", [4, 1, 9]), [1, 4]),
        (where("id", "notIn", [4, 1]), [2, 3]),
        (where("companyName", "eq", "BETA"), [2]),
        (where("companyName", "noteq", "beta"), [1, 3, 4]),
        (where("companyName", "beginsWith", "gam"), [3]),
        (where("companyName", "endsWith", "TA"), [2, 4]),
        (where("companyName", "contains", "a r"), [3]),
        (where("companyName", "gt", "beta"), [3, 4]),
        (where("companyNumber", "exist"), [1, 2, 3]),
        (where("companyNumber", "notExist"), [4]),
        (where("companyNumber", "notIn", ["A-1"]), [2, 3]),
        (where("isActive", "eq", False), [2]),
        (where("isActive", "eq", True), [1, 3, 4]),
        (where("ID", "eq", 3), [3]),
        (where("COMPANYNAME", "eq", "alpha"), [1]),
        (where("id", "EQ", 3), [3]),
    ],
)
def test_every_operator_finds_what_it_says(four: Api, condition: dict[str, Any], found: list[int]) -> None:
    assert four.ids("Companies", condition) == found


def test_conditions_of_the_list_are_joined_by_and(four: Api) -> None:
    assert four.ids("Companies", where("id", "gt", 1), where("isActive", "eq", True)) == [3, 4]


def test_groups_nest(four: Api) -> None:
    inner = {"op": "and", "items": [where("id", "gte", 3), where("companyNumber", "exist")]}
    outer = {"op": "or", "items": [where("companyName", "eq", "alpha"), inner]}

    assert four.ids("Companies", outer) == [1, 3]
    assert four.ids("Companies", {"op": "AND", "items": [where("id", "lt", 3), outer]}) == [1]


def test_keys_are_taken_in_any_letter_case(four: Api) -> None:
    answer = four.post(
        "companies/QUERY",
        {"Filter": [{"Op": "gt", "Field": "Id", "Value": 1}], "MAXRECORDS": 2, "IncludeFields": ["ID"]},
    )

    assert [item["id"] for item in answer.json()["items"]] == [2, 3]


def test_a_query_by_get_gives_the_same(four: Api) -> None:
    model = {"filter": [where("id", "in", [1, 3])]}

    assert four.get("Companies/query", params={"search": json.dumps(model)}).json()["items"] == four.query(
        "Companies", *model["filter"]
    )


def test_included_fields_alone_come_with_the_user_defined_ones(four: Api) -> None:
    items = four.query("Companies", where("id", "eq", 1), includeFields=["id", "COMPANYname"])

    assert items == [{"id": 1, "companyName": "Alpha", "userDefinedFields": []}]


def test_dates_compare_as_instants_in_utc(api: Api, sb: Sandbox) -> None:
    company = sb.add_company(lastTrackedModifiedDateTime="2026-05-01T10:00:00.5Z")

    for op, value, found in [
        ("gt", "2026-05-01T10:00:00Z", True),
        ("gt", "2026-05-01T10:00:00.5", False),
        ("gte", "2026-05-01T10:00:00.500Z", True),
        ("lt", "2026-05-01T12:00:01+02:00", True),
        ("eq", "2026-05-01T12:00:00.5+02:00", True),
        ("gt", "2026-05-01", True),
    ]:
        assert api.ids("Companies", where("lastTrackedModifiedDateTime", op, value)) == [company] * found, (
            op,
            value,
        )


def test_amounts_compare_exactly(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    invoice = sb.add_invoice(companyID=company, invoiceTotal="52.7775")

    assert api.ids("Invoices", where("invoiceTotal", "eq", 52.7775)) == [invoice]
    assert api.ids("Invoices", where("invoiceTotal", "gt", 52.7775)) == []


def test_the_unpaid_are_found_by_the_absence_of_a_paid_date(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    paid = sb.add_invoice(companyID=company, paidDate="2026-05-01")
    unpaid = sb.add_invoice(companyID=company)

    assert api.ids("Invoices", where("paidDate", "notExist")) == [unpaid]
    assert api.ids("Invoices", where("paidDate", "exist")) == [paid]
    sb.change_invoice(paid, paidDate=None)
    assert api.ids("Invoices", where("paidDate", "notExist")) == [paid, unpaid]


def test_a_user_defined_field_is_asked_with_udf(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    yes = sb.add_contact(companyID=company, userDefinedFields={"Receives Invoices": "Yes"})
    sb.add_contact(companyID=company, userDefinedFields={"Receives Invoices": "No"})

    assert api.ids("Contacts", where("receives invoices", "eq", "yes", udf=True)) == [yes]


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({}, "Value cannot be null or empty. Parameter name: filter"),
        ({"filter": []}, "Value cannot be null or empty. Parameter name: filter"),
        ({"filter": "x"}, "Value cannot be null or empty. Parameter name: filter"),
        ({**EVERYTHING, "maxRecords": 0}, "maxCountOfRecordsToReturn must be between 1 and 500"),
        ({**EVERYTHING, "maxRecords": 501}, "maxCountOfRecordsToReturn must be between 1 and 500"),
        ({**EVERYTHING, "maxRecords": "7"}, "maxCountOfRecordsToReturn must be between 1 and 500"),
        ({**EVERYTHING, "includeFields": ["nope"]}, "Unable to find nope in the Invoice Entity."),
        ({"filter": [where("nope", "eq", 1)]}, "Unable to find nope in the Invoice Entity."),
        ({"filter": [where("id", "like", 1)]}, "Operator 'like' is not supported."),
        ({"filter": [where("isVoided", "eq", None)]}, "Value cannot be null. Parameter name: isVoided"),
        ({"filter": [where("dueDate", "gt", "2026-01-01")]}, "The field dueDate is not queryable"),
        ({"filter": [where("taxGroup", "eq", 1)]}, "The field taxGroup is not queryable"),
        (
            {"filter": [where("companyID", "eq", "Acme")]},
            "Conversion failed when converting the nvarchar value 'Acme' to data type int.",
        ),
        ({"filter": [where("isVoided", "eq", "true")]}, "to data type bit."),
        ({"filter": [where("invoiceTotal", "eq", "much")]}, "to data type decimal."),
        ({"filter": [where("createDateTime", "gt", "yesterday")]}, "to data type datetime."),
        (
            {"filter": [where("companyID", "contains", 1)]},
            "Operator 'contains' cannot be used on field companyID.",
        ),
        ({"filter": [where("id", "in", [])]}, "needs a list of values"),
        ({"filter": [where("id", "in", list(range(501)))]}, "limited to 500 or fewer 'OR' conditions"),
        ({"filter": [{"op": "or", "items": []}]}, "needs a list of items"),
        ({"filter": [17]}, "Error converting value"),
        (
            {"filter": [where("Anything", "eq", "x", udf=True)]},
            "Unable to find Anything in the Invoice Entity.",
        ),
    ],
)
def test_a_bad_query_is_a_500_with_its_reason(api: Api, model: dict[str, Any], text: str) -> None:
    assert text in api.refusal(api.post("Invoices/query", model))


def test_one_condition_on_user_defined_fields_is_the_limit(api: Api) -> None:
    twice = [
        where("Receives Invoices", "eq", "Yes", udf=True),
        where("Preferred Language", "exist", udf=True),
    ]

    assert "Only one User Defined Field" in api.refusal(api.post("Contacts/query", {"filter": twice}))


def test_five_hundred_or_conditions_are_the_limit(api: Api) -> None:
    def asked(count: int) -> Any:
        items = [where("id", "eq", key) for key in range(count)]
        return api.post("Invoices/query", {"filter": [{"op": "or", "items": items}]})

    assert asked(500).status_code == 200
    assert api.refusal(asked(501)) == "Queries are limited to 500 or fewer 'OR' conditions."


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"filter":NaN}', b"[" * 5000])
def test_a_body_that_is_no_query_is_refused(api: Api, body: bytes) -> None:
    answer = api.call("POST", "Invoices/query", data=body)

    assert answer.status_code == 500
    assert answer.json()["errors"]


def test_operator_spelling_can_matter(api: Api, sb: Sandbox) -> None:
    sb.switches.operator_case = "sensitive"

    assert api.refusal(api.post("Invoices/query", {"filter": [where("id", "GT", 1)]})) == (
        "Operator 'GT' is not supported."
    )


def test_a_get_query_longer_than_the_limit_is_a_404_page(api: Api) -> None:
    model = {"filter": [where("invoiceNumber", "eq", "x" * 2100)]}

    answer = api.get("Invoices/query", params={"search": json.dumps(model)})

    assert answer.status_code == 404
    assert api.post("Invoices/query", model).status_code == 200


def test_count_counts_over_all_pages(seeded_api: Api, seeded: Sandbox) -> None:
    unpaid = {"filter": [where("paidDate", "notExist")]}
    expected = sum(row["paidDate"] is None for row in seeded.rows("Invoices"))

    assert seeded_api.post("Invoices/query/count", EVERYTHING).json() == {"queryCount": 120}
    assert seeded_api.post("Invoices/query/count", unpaid).json() == {"queryCount": expected}
    by_get = seeded_api.get("Invoices/query/count", params={"search": json.dumps(unpaid)})
    assert by_get.json() == {"queryCount": expected}


def test_indexes_and_a_walk_over_all_rows_agree(seeded_api: Api, seeded: Sandbox) -> None:
    company = seeded.rows("Invoices")[3]["companyID"]

    for indexed in [
        where("companyID", "eq", company),
        where("companyID", "in", [company, company + 1, company + 2]),
        where("paidDate", "notExist"),
    ]:
        walked = {"op": "or", "items": [indexed, where("id", "lt", -1)]}
        assert seeded_api.ids("Invoices", indexed) == seeded_api.ids("Invoices", walked)
        assert seeded_api.ids("Invoices", indexed, where("id", "gt", 10_050)) == seeded_api.ids(
            "Invoices", walked, where("id", "gt", 10_050)
        )


def test_records_of_a_restricted_line_of_business_vanish_silently(start: Callable[..., Sandbox]) -> None:
    sb = start(customers=5, invoices=20)
    api = Api(sb)
    hidden = sb.rows("Invoices")[0]
    sb.restrict_line_of_business([hidden["companyID"]])

    gone = [row for row in sb.rows("Invoices") if row["companyID"] == hidden["companyID"]]
    assert len(api.ids("Invoices", where("id", "gt", 0))) == 20 - len(gone)
    assert api.get(f"Invoices/{hidden['id']}").json() == {"item": None}
    assert hidden["companyID"] not in api.ids("Companies", where("id", "gte", 0))
    assert api.ids("BillingItems", where("companyID", "eq", hidden["companyID"])) == []
    assert api.post("Invoices/query/count", EVERYTHING).json() == {"queryCount": 20 - len(gone)}
    sb.restrict_line_of_business()
    assert len(api.ids("Invoices", where("id", "gt", 0))) == 20
