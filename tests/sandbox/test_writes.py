"""PATCH, PUT, POST and DELETE: on the collection, with the id in the body."""

from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.conftest import Api


@pytest.fixture
def company(sb: Sandbox) -> int:
    return sb.add_company(companyName="Harbor Foods")


@pytest.fixture
def invoice(sb: Sandbox, company: int) -> int:
    return sb.add_invoice(companyID=company, invoiceNumber="INV-1", lines=[{"rate": "10"}])


def held(sb: Sandbox, key: int) -> dict[str, Any]:
    found = sb.invoice(key)
    assert found is not None
    return found


def test_a_patch_changes_the_fields_given_and_answers_the_id(api: Api, sb: Sandbox, invoice: int) -> None:
    answer = api.patch("Invoices", {"id": invoice, "paidDate": "2026-11-18T00:00:00Z"})

    assert answer.json() == {"itemId": invoice}
    assert held(sb, invoice)["paidDate"] == "2026-11-18T00:00:00Z"
    assert held(sb, invoice)["invoiceNumber"] == "INV-1"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-11-18T23:59:59.997Z", "2026-11-18"),
        ("2026-11-18T23:30:00-05:00", "2026-11-18"),
        ("2026-11-18T00:30:00+14:00", "2026-11-18"),
        ("2026-11-18", "2026-11-18"),
    ],
)
def test_a_paid_date_keeps_its_date_only(api: Api, sb: Sandbox, invoice: int, sent: str, kept: str) -> None:
    api.patch("Invoices", {"id": invoice, "paidDate": sent})

    assert held(sb, invoice)["paidDate"] == f"{kept}T00:00:00Z"


@pytest.mark.parametrize(("switch", "after"), [("clears", None), ("ignored", "2026-11-18T00:00:00Z")])
def test_a_patch_with_null_does_what_the_switch_says(
    api: Api, sb: Sandbox, invoice: int, switch: str, after: str | None
) -> None:
    sb.switches.patch_null = switch  # type: ignore[assignment]
    sb.change_invoice(invoice, paidDate="2026-11-18")

    assert api.patch("Invoices", {"id": invoice, "paidDate": None}).json() == {"itemId": invoice}
    assert held(sb, invoice)["paidDate"] == after


def test_a_patch_with_null_can_be_a_500(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.switches.patch_null = "error"
    sb.change_invoice(invoice, paidDate="2026-11-18")

    assert "paidDate" in api.refusal(api.patch("Invoices", {"id": invoice, "paidDate": None}))
    assert held(sb, invoice)["paidDate"] == "2026-11-18T00:00:00Z"


def test_a_put_nulls_the_writable_fields_left_out(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.change_invoice(invoice, paidDate="2026-11-18", webServiceDate="2026-11-19T10:00:00Z")

    assert api.put("Invoices", {"id": invoice, "invoiceNumber": "INV-1"}).json() == {"itemId": invoice}

    after = held(sb, invoice)
    assert (after["paidDate"], after["webServiceDate"], after["invoiceNumber"]) == (None, None, "INV-1")
    assert after["invoiceTotal"] == 10


def test_a_put_can_leave_alone_what_is_left_out(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.switches.put_omitted = "ignored"
    sb.change_invoice(invoice, paidDate="2026-11-18")

    api.put("Invoices", {"id": invoice})

    assert held(sb, invoice)["paidDate"] == "2026-11-18T00:00:00Z"


def test_only_three_fields_of_an_invoice_can_be_written(api: Api, sb: Sandbox, invoice: int) -> None:
    before = held(sb, invoice)
    everything = {name: 77 if isinstance(value, int | float) else "x" for name, value in before.items()}
    writable = {"invoiceNumber": "INV-9", "paidDate": "2026-11-18", "webServiceDate": "2026-11-19T10:00:00Z"}

    api.patch("Invoices", {**everything, **writable, "id": invoice})

    after = held(sb, invoice)
    assert {name for name in after if after[name] != before[name]} == set(writable)


def test_only_one_field_of_a_billing_item_can_be_written(api: Api, sb: Sandbox, invoice: int) -> None:
    line = sb.lines(invoice)[0]

    api.patch(
        "BillingItems",
        {**line, "rate": 99.0, "extendedPrice": 1.0, "webServiceDate": "2026-11-19T10:00:00"}
        | {name: float(value) for name, value in line.items() if hasattr(value, "as_tuple")},
    )

    after = sb.lines(invoice)[0]
    assert {name for name in after if after[name] != line[name]} == {"webServiceDate"}


def test_writing_a_read_only_field_can_be_an_error(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.switches.readonly_write = "error"

    assert "invoiceTotal is read only" in api.refusal(
        api.patch("Invoices", {"id": invoice, "invoiceTotal": 1})
    )


def test_voided_invoices_can_refuse_writes(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.void_invoice(invoice)
    assert api.patch("Invoices", {"id": invoice, "paidDate": "2026-11-18"}).status_code == 200
    sb.switches.voided_write = "refused"

    assert "Voided" in api.refusal(api.patch("Invoices", {"id": invoice, "paidDate": "2026-11-19"}))
    assert held(sb, invoice)["paidDate"] == "2026-11-18T00:00:00Z"


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "POST"])
def test_the_item_url_takes_no_writes(api: Api, invoice: int, method: str) -> None:
    answer = api.call(method, f"Invoices/{invoice}", json={"paidDate": "2026-11-18"})

    assert answer.status_code == 405
    assert answer.json()["Message"] == f"The requested resource does not support http method '{method}'."


def test_invoices_can_be_neither_created_nor_deleted(api: Api, company: int) -> None:
    assert api.post("Invoices", {"companyID": company}).status_code == 405
    assert api.call("DELETE", "Invoices").status_code == 405


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing Required Field: id"),
        ({"paidDate": "2026-11-18"}, "Missing Required Field: id"),
        ({"id": "7", "paidDate": "2026-11-18"}, "Missing Required Field: id"),
        ({"id": 99, "paidDate": "2026-11-18"}, "No matching records found"),
        ([], "Value cannot be null"),
    ],
)
def test_a_write_without_a_known_id_is_refused(api: Api, body: Any, text: str) -> None:
    assert text in api.refusal(api.patch("Invoices", body))
    assert text in api.refusal(api.put("Invoices", body))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("paidDate", "soon", "Could not convert 'soon' to datetime"),
        ("paidDate", 17, "Could not convert '17' to datetime"),
        ("paidDate", True, "Unexpected character encountered while parsing value: t"),
        ("invoiceNumber", "x" * 101, "The maximum length of invoiceNumber is 100"),
        ("invoiceNumber", ["x"], "Could not convert"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_changes(
    api: Api, sb: Sandbox, invoice: int, field: str, value: Any, text: str
) -> None:
    before = held(sb, invoice)

    assert text in api.refusal(api.patch("Invoices", {"id": invoice, field: value}))
    assert held(sb, invoice) == before


def test_a_company_is_created_changed_and_stamped(api: Api, sb: Sandbox) -> None:
    sb.clock.set("2026-11-20T10:00:00+00:00", frozen=True)
    body = {
        "companyName": "New Ltd.",
        "companyType": 1,
        "ownerResourceID": 29682885,
        "phone": "1",
        "currencyID": 2,
    }
    key = api.post("Companies", body).json()["itemId"]
    sb.clock.advance(60)
    api.patch("Companies", {"id": key, "companyName": "Newer Ltd."})

    company = api.get(f"Companies/{key}").json()["item"]
    assert (company["companyName"], company["currencyID"]) == ("Newer Ltd.", 2)
    assert company["createDate"] == "2026-11-20T10:00:00Z"
    assert company["lastTrackedModifiedDateTime"] == "2026-11-20T10:01:00Z"


def test_a_write_that_changes_nothing_leaves_the_stamp(api: Api, sb: Sandbox, company: int) -> None:
    before = sb.company(company)
    sb.clock.advance(3600)

    api.patch("Companies", {"id": company, "companyName": "Harbor Foods"})

    assert sb.company(company) == before
    assert sb.requests[-1].changed == []


def test_a_company_lacking_something_is_refused(api: Api) -> None:
    assert api.refusal(api.post("Companies", {"companyName": "x"})).startswith("Missing Required Field: ")


def test_picklists_and_references_are_checked(api: Api, company: int) -> None:
    patched = api.patch("Companies", {"id": company, "classification": 99})
    assert api.refusal(patched) == "Picklist value [99] does not exist for classification."
    patched = api.patch("Companies", {"id": company, "taxRegionID": 99})
    assert api.refusal(patched) == (
        "Reference value on field: taxRegionID of type: TaxRegion does not exist or is invalid."
    )


def test_contacts_are_written_below_their_company(api: Api, sb: Sandbox, company: int) -> None:
    body = {"firstName": "Ann", "lastName": "Lee", "isActive": 1, "billingContact": True}
    key = api.post(f"Companies/{company}/Contacts", body).json()["itemId"]
    api.patch(f"Companies/{company}/Contacts", {"id": key, "emailAddress": "ann@harbor.example"})

    contact = api.get(f"Contacts/{key}").json()["item"]
    assert (contact["companyID"], contact["emailAddress"]) == (company, "ann@harbor.example")
    assert type(contact["isActive"]) is int
    assert contact["billingContact"] is True
    assert api.get(f"Companies/{company}/Contacts/{key}").json()["item"] == contact
    assert api.call("DELETE", f"Companies/{company}/Contacts/{key}").json() == {"itemId": key}
    assert sb.contact(key) is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "GET"])
def test_the_root_of_contacts_is_no_address_at_all(api: Api, company: int, method: str) -> None:
    assert api.call(method, "Contacts", json={"id": 1}).status_code == 404


def test_a_contact_of_another_company_is_not_found_below_this_one(
    api: Api, sb: Sandbox, company: int
) -> None:
    stranger = sb.add_contact(companyID=sb.add_company())

    assert api.get(f"Companies/{company}/Contacts/{stranger}").json() == {"item": None}
    assert "No matching" in api.refusal(
        api.patch(f"Companies/{company}/Contacts", {"id": stranger, "note": "x"})
    )
    assert "No matching" in api.refusal(api.call("DELETE", f"Companies/{company}/Contacts/{stranger}"))


def test_is_active_of_a_contact_refuses_a_json_boolean(api: Api, sb: Sandbox, company: int) -> None:
    key = sb.add_contact(companyID=company)

    answer = api.patch(f"Companies/{company}/Contacts", {"id": key, "isActive": True})

    assert api.refusal(answer).startswith("Unexpected character encountered while parsing value: t.")


def test_user_defined_fields_not_named_keep_their_values(api: Api, sb: Sandbox, company: int) -> None:
    sb.change_company(company, userDefinedFields={"SLA": "Gold", "Accounting Reference": "A"})

    api.patch("Companies", {"id": company, "userDefinedFields": [{"name": "SLA", "value": "None"}]})

    shown = api.get(f"Companies/{company}").json()["item"]["userDefinedFields"]
    assert shown == [{"name": "Accounting Reference", "value": "A"}, {"name": "SLA", "value": "None"}]


@pytest.mark.parametrize("entity", ["Invoices", "Companies", "Currencies", "BillingItems", "Contacts"])
def test_a_missing_record_is_null_or_404_as_the_switch_says(api: Api, sb: Sandbox, entity: str) -> None:
    assert api.get(f"{entity}/987654").json() == {"item": None}
    sb.switches.missing = "404"
    assert api.get(f"{entity}/987654").status_code == 404


def test_the_log_holds_what_each_write_changed(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.clear_requests()
    api.patch("Invoices", {"id": invoice, "paidDate": "2026-11-18"})

    (request,) = sb.calls("Invoices", "patch")
    assert (request.method, request.status) == ("PATCH", 200)
    assert request.path == "/ATServicesRest/V1.0/Invoices"
    assert request.body == f'{{"id": {invoice}, "paidDate": "2026-11-18"}}'
    (change,) = request.changed
    assert (change.entity, change.id, change.action) == ("Invoices", invoice, "changed")
    assert change.fields == {"paidDate": (None, "2026-11-18T00:00:00")}
    sb.clear_requests()
    assert sb.requests == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "Tickets/query", 501),
        ("POST", "Projects/query", 501),
        ("GET", "Companies/1/Notes", 501),
        ("GET", "Authenticate", 501),
        ("GET", "Modules", 501),
        ("GET", "Invoices/1/Nothing", 404),
        ("GET", "Invoices/abc", 404),
        ("GET", "Invoices/99999999999999999999", 404),
        ("GET", "", 404),
        ("GET", "%00", 404),
    ],
)
def test_what_is_not_modelled_is_refused_loudly(api: Api, method: str, path: str, status: int) -> None:
    api.judged = status != 404

    answer = api.call(method, path)

    assert answer.status_code == status
    if status == 501:
        assert "The sandbox does not model" in answer.json()["errors"][0]
        assert answer.headers["Sandbox-Says"] == "not-modelled"
