"""Fields, picklists, user-defined fields, and the small reference entities."""

import pytest

from sandbox import Sandbox
from sandbox.schema import ENTITIES
from tests.sandbox.conftest import EVERYTHING, Api, where
from tests.sandbox.swagger import SWAGGER


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_every_entity_answers_query_count_get_and_metadata(seeded_api: Api, entity: str) -> None:
    items = seeded_api.post(f"{entity}/query", {**EVERYTHING, "maxRecords": 25}).json()["items"]
    for item in items[:3]:
        assert seeded_api.get(f"{entity}/{item['id']}").json() == {"item": item}
    assert seeded_api.post(f"{entity}/query/count", EVERYTHING).status_code == 200
    for path in ("entityInformation", "entityInformation/fields", "entityInformation/userDefinedFields"):
        assert seeded_api.get(f"{entity}/{path}").status_code == 200


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_a_record_has_exactly_the_fields_of_its_swagger_model(seeded_api: Api, entity: str) -> None:
    items = seeded_api.query(entity, where("id", "gte", 0), maxRecords=1)
    model = set(SWAGGER["definitions"][f"{ENTITIES[entity].single}Model"]["properties"]) - {
        "soapParentPropertyId"
    }

    assert all(set(item) == model for item in items)
    assert items or entity == "AdditionalInvoiceFieldValues"


def fields_of(api: Api, entity: str) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in api.get(f"{entity}/entityInformation/fields").json()["fields"]}


def test_field_information_tells_the_flags(api: Api) -> None:
    fields = fields_of(api, "Invoices")

    assert [name for name, one in fields.items() if not one["isReadOnly"]] == [
        "invoiceNumber",
        "paidDate",
        "webServiceDate",
    ]
    assert [name for name, one in fields.items() if not one["isQueryable"]] == ["dueDate", "taxGroup"]
    assert fields["companyID"]["referenceEntityType"] == "Company"
    assert fields["invoiceNumber"]["length"] == 100


def test_picklists_are_the_partners_own_and_their_values_are_text(api: Api) -> None:
    types = fields_of(api, "Companies")["companyType"]["picklistValues"]
    assert isinstance(types, list)

    assert {"203": "Co-managed IT", "1": "Customer"}.items() <= {
        one["value"]: one["label"] for one in types
    }.items()
    assert fields_of(api, "Companies")["companyName"]["picklistValues"] is None


def test_an_empty_picklist_can_be_absent(api: Api, sb: Sandbox) -> None:
    sb.switches.picklist_values = "absent"

    assert "picklistValues" not in fields_of(api, "Companies")["companyName"]


def test_user_defined_fields_are_described(api: Api) -> None:
    fields = api.get("Contacts/entityInformation/userDefinedFields").json()["fields"]

    assert [one["name"] for one in fields] == ["Receives Invoices", "Preferred Language"]
    assert [one["value"] for one in fields[0]["picklistValues"]] == ["Yes", "No"]


def test_entity_information_says_what_can_be_done(api: Api) -> None:
    assert api.get("Invoices/entityInformation").json()["info"] == {
        "name": "Invoice",
        "canCreate": False,
        "canDelete": False,
        "canQuery": True,
        "canUpdate": True,
        "userAccessForCreate": 0,
        "userAccessForDelete": 0,
        "userAccessForQuery": 1,
        "userAccessForUpdate": 1,
        "hasUserDefinedFields": False,
        "supportsWebhookCallouts": False,
    }
    assert len(api.get("EntityInformation").json()["info"]) == len(ENTITIES)


def test_payment_terms_tax_regions_and_currencies_can_be_changed(api: Api) -> None:
    term = api.post("PaymentTerms", {"name": "Net 7", "paymentDueInDays": 7, "isActive": True}).json()[
        "itemId"
    ]
    assert api.get(f"PaymentTerms/{term}").json()["item"]["paymentDueInDays"] == 7
    region = api.post("TaxRegions", {"name": "Texas"}).json()["itemId"]
    api.patch("TaxRegions", {"id": region, "isActive": False})
    assert api.get(f"TaxRegions/{region}").json()["item"] == {
        "id": region,
        "isActive": False,
        "name": "Texas",
    }
    api.patch("Currencies", {"id": 2, "exchangeRate": 1.2345})
    assert api.get("Currencies/2").json()["item"]["exchangeRate"] == 1.2345
    assert api.post("Currencies", {"name": "CHF"}).status_code == 405


def test_instants_can_come_without_z_and_with_fractions(api: Api, sb: Sandbox) -> None:
    company = sb.add_company(createDate="2026-11-20T10:00:00.25Z")
    assert api.get(f"Companies/{company}").json()["item"]["createDate"] == "2026-11-20T10:00:00.25Z"

    sb.switches.dates_z = False

    assert api.get(f"Companies/{company}").json()["item"]["createDate"] == "2026-11-20T10:00:00.25"


def test_amounts_go_over_the_wire_with_four_decimals_at_most(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    for given, sent in [
        ("52.7775", b"52.7775"),
        ("0.00005", b"0.0000"),
        ("386.6450", b"386.6450"),
        ("1E+3", b"1000.0000"),
    ]:
        invoice = sb.add_invoice(companyID=company, invoiceTotal=given)
        assert b'"invoiceTotal":' + sent + b"," in api.get(f"Invoices/{invoice}").content
