"""What the client sends, and what it makes of good answers."""

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import responses

from portal.autotask.client import CallInfo, Client
from portal.autotask.errors import BadRecord, NotFound, Rejected, Unavailable
from portal.autotask.filters import everything
from tests.autotask.conftest import CODE, SECRET, V1, ZONE, credentials


def sent(mock: responses.RequestsMock, index: int = -1) -> Any:
    return json.loads(mock.calls[index].request.body)


def test_every_call_carries_the_credentials_and_the_portals_name(autotask, client):
    autotask.get(f"{V1}Companies/7", json={"item": {"id": 7}})
    client.get("Companies", 7)
    headers = autotask.calls[0].request.headers
    assert headers["UserName"] == "key@msp.example"
    assert headers["Secret"] == SECRET
    assert headers["ApiIntegrationCode"] == CODE
    assert headers["User-Agent"] == "MSP billing portal"
    assert headers["Content-Type"] == "application/json"


def test_a_record_is_read_with_exact_decimals(autotask, client):
    autotask.get(f"{V1}Invoices/7", body='{"item": {"id": 7, "invoiceTotal": 52.7775}}')
    assert client.get("Invoices", 7)["invoiceTotal"] == Decimal("52.7775")


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"item": None}},
        {"status": 404},
        {"status": 404, "json": {}},
        {"status": 404, "body": "<html>"},
    ],
)
def test_a_missing_record_is_not_found(autotask, client, answer):
    autotask.get(f"{V1}Invoices/7", **answer)
    with pytest.raises(NotFound, match="no such record in Invoices"):
        client.get("Invoices", 7)


def test_another_record_than_the_one_asked_for_is_refused(autotask, client):
    autotask.get(f"{V1}Invoices/7", json={"item": {"id": 8}})
    with pytest.raises(Unavailable, match="something else"):
        client.get("Invoices", 7)


def test_counting_asks_autotask_to_count(autotask, client):
    autotask.post(f"{V1}Invoices/query/count", json={"queryCount": 12})
    assert client.count("Invoices", everything()) == 12
    assert sent(autotask) == {"filter": [{"op": "gte", "field": "id", "value": 0}]}


def test_a_patch_goes_to_the_collection_with_the_id_and_the_date_in_the_body(autotask, client):
    autotask.patch(f"{V1}Invoices", json={"itemId": 7})
    client.patch("Invoices", {"id": 7, "paidDate": date(2026, 11, 22)})
    assert sent(autotask) == {"id": 7, "paidDate": "2026-11-22T00:00:00Z"}


def test_clearing_a_field_sends_null(autotask, client):
    autotask.patch(f"{V1}Invoices", json={"itemId": 7})
    client.patch("Invoices", {"id": 7, "paidDate": None})
    assert autotask.calls[0].request.body == b'{"id":7,"paidDate":null}'


def test_a_put_sends_decimals_exactly_and_instants_in_utc(autotask, client):
    autotask.put(f"{V1}Invoices", json={"itemId": 7})
    client.put("Invoices", {"id": 7, "x": Decimal("0.1000"), "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)})
    assert autotask.calls[0].request.body == b'{"id":7,"x":0.1000,"at":"2026-01-02T03:04:05.000Z"}'


def test_floats_are_never_sent(client):
    with pytest.raises(TypeError):
        client.patch("Invoices", {"id": 7, "invoiceTotal": 1.5})


@pytest.mark.parametrize(
    "answer", [{"body": ""}, {"status": 204}, {"json": None}, {"json": {}}, {"body": "<html>"}]
)
def test_an_unconfirmed_write_may_have_been_applied(autotask, client, answer):
    autotask.patch(f"{V1}Invoices", **answer)
    with pytest.raises(Unavailable) as caught:
        client.patch("Invoices", {"id": 7})
    assert caught.value.maybe_applied
    assert client.calls == 1


@pytest.mark.parametrize("body", [b"{}", b"null", b"<html>"])
def test_after_an_unconfirmed_write_the_next_call_opens_a_new_connection(facing, body):
    client, server = facing(lambda wire: wire.answer(body))
    for _ in range(2):
        with pytest.raises(Unavailable):
            client.patch("Invoices", {"id": 7})
    assert server.connections == 2


def test_after_an_answer_of_no_use_a_read_is_tried_again_on_a_new_connection(facing):
    client, server = facing(lambda wire: wire.answer(b"null"))
    with pytest.raises(Unavailable):
        client.get("Invoices", 7)
    assert server.connections == client.calls == 3


def test_a_pdf_comes_out_of_base64_with_a_safe_name(autotask, client):
    data = base64.b64encode(b"%PDF-1.7 hello").decode()
    autotask.get(f"{V1}Invoices/7/InvoicePdf", json={"data": data, "fileName": "..\\..\\x/Invoice 12.PDF"})
    pdf = client.invoice_pdf(7)
    assert (pdf.name, pdf.data) == ("Invoice 12.pdf", b"%PDF-1.7 hello")


def test_a_pdf_inside_an_item_is_taken_too(autotask, client):
    data = base64.b64encode(b"%PDF-1.7").decode()
    autotask.get(f"{V1}Invoices/7/InvoicePdf", json={"item": {"data": data, "fileName": None}})
    assert client.invoice_pdf(7).name == "invoice-7.pdf"


@pytest.mark.parametrize(
    "data", [None, "", "AAAA", "%%%", base64.b64encode(b"<html>").decode(), [1, 2, 999], 5]
)
def test_what_is_no_pdf_is_a_bad_record(autotask, client, data):
    autotask.get(f"{V1}Invoices/7/InvoicePdf", json={"data": data})
    with pytest.raises(BadRecord) as caught:
        client.invoice_pdf(7)
    assert caught.value.autotask_id == 7


def test_a_pdf_beyond_15_mb_is_a_bad_record(autotask, client):
    data = base64.b64encode(b"%PDF-" + bytes(15_000_000)).decode()
    autotask.get(f"{V1}Invoices/7/InvoicePdf", json={"data": data})
    with pytest.raises(BadRecord, match="larger than 15 MB"):
        client.invoice_pdf(7)


def test_the_threshold_tells_limit_minutes_and_use(autotask, client):
    body = {
        "externalRequestThreshold": 10000,
        "requestThresholdTimeframe": 60,
        "currentTimeframeRequestCount": 123,
    }
    autotask.get(f"{V1}ThresholdInformation", json=body)
    threshold = client.threshold()
    assert (threshold.limit, threshold.minutes, threshold.used) == (10000, 60, 123)


def test_a_picklist_keeps_the_partners_order_and_marks_retired_values(autotask, client):
    values = [
        {"value": "3", "label": " Prospect ", "sortOrder": 2, "isActive": True},
        {"value": "1", "label": "Customer", "sortOrder": 1, "isActive": True},
        {"value": "9", "label": "Old", "sortOrder": 3, "isActive": False},
        {"value": "x", "label": "no number"},
    ]
    fields = {
        "fields": [{"name": "companyType", "picklistValues": values}, {"name": "id", "picklistValues": None}]
    }
    autotask.get(f"{V1}Companies/entityInformation/fields", json=fields)
    assert client.picklist("Companies", "CompanyType") == [
        (1, "Customer"),
        (3, "Prospect"),
        (9, "Old (inactive)"),
    ]
    assert client.picklist("Companies", "id") == []
    assert client.picklist("Companies", "nothing") == []


def test_the_entitys_rights_and_user_defined_fields_can_be_read(autotask, client):
    autotask.get(f"{V1}Invoices/entityInformation", json={"info": {"canQuery": True}})
    autotask.get(
        f"{V1}Contacts/entityInformation/userDefinedFields", json={"fields": [{"name": "Mail invoices"}]}
    )
    assert client.entity_information("Invoices") == {"canQuery": True}
    assert client.user_defined_fields("Contacts") == [{"name": "Mail invoices"}]


def test_the_gate_is_entered_around_each_call_and_each_call_is_told(autotask):
    entered: list[str] = []
    told: list[CallInfo] = []

    class Gate:
        def __init__(self, endpoint: str) -> None:
            entered.append(f"in {endpoint}")

        def __enter__(self) -> None: ...

        def __exit__(self, *exc_info: object) -> None:
            entered.append("out")

    autotask.get(f"{V1}Invoices/7", status=500, json={"errors": ["no"]})
    with (
        Client(ZONE, credentials(), trusted_hosts=[], gate=Gate, on_call=told.append) as client,
        pytest.raises(Rejected),
    ):
        client.get("Invoices", 7)
    assert entered == ["in Invoices", "out"]
    assert [(call.method, call.endpoint, call.status) for call in told] == [("GET", "Invoices", 500)]


@pytest.mark.parametrize("zone", [ZONE, ZONE.rstrip("/"), ZONE + "/"])
def test_the_zone_url_works_with_and_without_its_slash(autotask, zone):
    autotask.get(f"{V1}Invoices/7", json={"item": {"id": 7}})
    with Client(zone, credentials(), trusted_hosts=[]) as client:
        assert client.get("Invoices", 7) == {"id": 7}


def test_an_entity_name_cannot_leave_its_place_in_the_path(client):
    with pytest.raises(ValueError, match="not the name"):
        client.get("../Invoices", 1)
