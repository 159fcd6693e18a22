"""Switches for what nobody outside knows: each position, as a client sees it."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.conftest import EVERYTHING, Api, where


@pytest.fixture
def key(sb: Sandbox) -> int:
    company = sb.add_company(companyName="Acme", currencyID=1)
    return sb.add_invoice(companyID=company, invoiceNumber="INV-1", lines=[{"rate": "10.00"}])


def test_after_a_move_the_old_address_answers_queries_of_a_right_login_with_nothing(
    raw: Api, sb: Sandbox, key: int
) -> None:
    old = f"{sb.api_url}V1.0/"
    sb.switches.wrong_zone = "empty"
    sb.move_zone()

    assert raw.post(f"{old}Invoices/query", EVERYTHING).json()["items"] == []
    for method, path in (
        ("GET", f"Invoices/{key}"),
        ("POST", "Invoices/query/count"),
        ("PATCH", "Invoices"),
        ("GET", "ThresholdInformation"),
        ("GET", f"Invoices/{key}/InvoicePdf"),
    ):
        assert raw.call(method, old + path, json={"id": key, **EVERYTHING}).status_code == 401
    raw.session.headers["Secret"] = "wrong"
    assert raw.post(f"{old}Invoices/query", EVERYTHING).status_code == 401


def test_a_pace_makes_calls_meet_the_limit_of_threads(sb: Sandbox, key: int) -> None:
    sb.switches.pace = 0.3

    def one(_: int) -> int:
        api = Api(sb)
        try:
            return api.post("Invoices/query", EVERYTHING).status_code
        finally:
            api.session.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, range(8)))

    assert 429 in statuses
    assert sb.stats.max_parallel("Invoices") > 3


def test_with_one_position_remembered_pages_can_be_followed_there_and_back(api: Api, sb: Sandbox) -> None:
    sb.switches.page_positions = 1
    for number in range(5):
        sb.add_company(companyName=f"Company {number}")
    body = {**EVERYTHING, "maxRecords": 2}
    page, seen = api.post("Companies/query", body).json(), []
    while True:
        seen += [item["id"] for item in page["items"]]
        if page["pageDetails"]["nextPageUrl"] is None:
            break
        page = api.post(page["pageDetails"]["nextPageUrl"], body).json()

    assert seen == [row["id"] for row in sb.rows("Companies")]
    back = api.post(page["pageDetails"]["prevPageUrl"], body)
    assert back.status_code == 200


def test_ids_can_come_descending_page_by_page_there_and_back(api: Api, sb: Sandbox) -> None:
    sb.switches.order = "descending"
    for number in range(5):
        sb.add_company(companyName=f"Company {number}")
    body = {**EVERYTHING, "maxRecords": 2}
    pages = [api.post("Companies/query", body).json()]
    while pages[-1]["pageDetails"]["nextPageUrl"]:
        pages.append(api.post(pages[-1]["pageDetails"]["nextPageUrl"], body).json())

    ids = [item["id"] for page in pages for item in page["items"]]
    assert ids == sorted((row["id"] for row in sb.rows("Companies")), reverse=True)
    back = api.post(pages[2]["pageDetails"]["prevPageUrl"], body).json()
    assert back["items"] == pages[1]["items"]


@pytest.mark.parametrize(("number", "expected"), [("keep", "INV-1"), ("cleared", None)])
def test_a_voided_invoice_keeps_its_number_or_not(
    api: Api, sb: Sandbox, key: int, number: Any, expected: str | None
) -> None:
    sb.switches.void_number = number
    sb.void_invoice(key)

    assert api.get(f"Invoices/{key}").json()["item"]["invoiceNumber"] == expected


def test_a_line_without_invoice_holds_null_or_zero(api: Api, sb: Sandbox, key: int) -> None:
    sb.add_line(companyID=1, rate="3.00")
    assert [row["invoiceID"] for row in sb.rows("BillingItems")] == [key, None]
    sb.switches.uninvoiced = "zero"
    sb.add_line(companyID=1, rate="3.00")
    sb.void_invoice(key)

    assert [row["invoiceID"] for row in sb.rows("BillingItems")] == [0, 0, 0]
    assert api.ids("BillingItems", where("invoiceID", "gt", 0)) == []
    sb.switches.reset()
    assert {row["invoiceID"] for row in sb.rows("BillingItems")} == {None}


@pytest.mark.parametrize("status", ["401", "403", "500"])
def test_an_inactive_user_is_refused_with_the_status_of_the_switch(
    raw: Api, sb: Sandbox, status: Any
) -> None:
    sb.switches.inactive_user = status
    sb.deactivate_user()

    answer = raw.get("ThresholdInformation")

    assert answer.status_code == int(status)
    assert ("inactive" in answer.text) == (status != "401")
    sb.activate_user()
    assert raw.get("ThresholdInformation").status_code == 200


def test_patch_can_be_refused_so_that_only_put_writes(api: Api, sb: Sandbox, key: int) -> None:
    sb.switches.patch = "refused"
    body = {"id": key, "invoiceNumber": "INV-1", "paidDate": "2026-11-19T00:00:00Z"}

    refused = api.patch("Invoices", body)

    assert (refused.status_code, "Message" in refused.json()) == (405, True)
    assert api.put("Invoices", body).status_code == 200


def test_a_new_record_can_be_404_for_a_moment(raw: Api, sb: Sandbox) -> None:
    sb.switches.fresh_404 = 2
    company = sb.add_company(companyName="New")

    assert [raw.get(f"Companies/{company}").status_code for _ in range(3)] == [404, 404, 200]
    assert company in raw.ids("Companies", where("id", "eq", company))


def test_paths_can_be_taken_to_the_letter(raw: Api, sb: Sandbox, key: int) -> None:
    sb.switches.path_case = "exact"

    assert raw.get(f"Invoices/{key}").status_code == 200
    assert raw.get(f"Invoices/{key}/InvoicePdf").status_code == 200
    assert raw.get("Companies/entityInformation/userDefinedFields").status_code == 200
    for other in (f"invoices/{key}", f"Invoices/{key}/InvoicePDF", "Invoices/entityinformation"):
        assert raw.get(other).status_code == 404
    lower = f"{sb.url}/atservicesrest/v1.0/"
    assert raw.get(f"{lower}Invoices/{key}").status_code == 404
    assert raw.get(f"{lower}zoneInformation?user={sb.username}").status_code == 200


def test_a_pdf_comes_as_text_or_as_bytes(raw: Api, sb: Sandbox, key: int) -> None:
    text = raw.get(f"Invoices/{key}/InvoicePdf").json()["data"]
    sb.switches.pdf_data = "bytes"
    numbers = raw.get(f"Invoices/{key}/InvoicePdf").json()["data"]

    assert bytes(numbers) == base64.b64decode(text)


@pytest.mark.parametrize(("how", "status"), [("500", 500), ("404", 404), ("null", 200)])
def test_the_pdf_of_an_unknown_id(raw: Api, sb: Sandbox, how: Any, status: int) -> None:
    sb.switches.pdf_missing = how

    answer = raw.get("Invoices/999/InvoicePdf")

    assert answer.status_code == status
    assert how != "null" or answer.json() == {"item": None}


def test_some_changes_of_a_company_move_no_stamp(sb: Sandbox) -> None:
    company = sb.add_company(companyName="Acme", lastTrackedModifiedDateTime="2026-01-01T00:00:00")
    sb.switches.tracked_changes = "some"
    sb.change_company(company, city="Springfield")
    assert sb.company(company)["lastTrackedModifiedDateTime"] == "2026-01-01T00:00:00Z"  # type: ignore[index]
    sb.change_company(company, companyName="Acme Ltd")
    assert sb.company(company)["lastTrackedModifiedDateTime"] > "2026-06"  # type: ignore[index]


@pytest.mark.parametrize("text", ["2026-11-19T00:00:00Z", "2026-11-19T00:00:00+14:00", "2026-11-19T00:00:00"])
def test_a_written_day_stays_the_day_and_may_need_an_offset(
    api: Api, sb: Sandbox, key: int, text: str
) -> None:
    body = {"id": key, "paidDate": text}
    assert api.patch("Invoices", body).status_code == 200
    assert sb.invoice(key)["paidDate"] == "2026-11-19T00:00:00Z"  # type: ignore[index]
    sb.switches.dates_written = "offset"
    bare = text.endswith("00:00:00")
    assert api.patch("Invoices", body).status_code == (500 if bare else 200)
    found = api.post("Invoices/query", {"filter": [where("createDateTime", "gte", text)]})
    assert found.status_code == (500 if bare else 200)


PYTHON = re.compile(
    r"\bNone\b|\bTrue\b|\bFalse\b|<class|object at 0x|Traceback|Error\(|\bint\b\. |\bstr\b|\bdict\b|\bbool\b"
    r"|char \d|Expecting|Invalid control|\{'|\['|Decimal\("
)
ODD: list[Any] = [None, True, False, 1.5, [], {}, [None], {"a": None}, "x", 10**30, -1, {"op": True}]


def test_no_error_text_of_autotask_speaks_python(raw: Api, sb: Sandbox, key: int) -> None:
    """Whatever is sent anywhere: what is refused is told in Autotask's words."""
    texts = []
    for odd in ODD:
        for body in (
            odd,
            {"filter": odd},
            {"filter": [odd]},
            {"filter": [{"op": odd, "field": "id", "value": 1}]},
            {"filter": [{"op": "eq", "field": odd, "value": 1}]},
            {"filter": [{"op": "or", "items": odd}]},
            {**EVERYTHING, "maxRecords": odd},
            {**EVERYTHING, "includeFields": odd},
            *(
                {"filter": [{"op": op, "field": name, "value": odd}]}
                for op in ("eq", "in", "contains")
                for name in ("id", "invoiceNumber", "isVoided", "invoiceTotal", "createDateTime")
            ),
        ):
            texts.append(raw.post("Invoices/query", body).text)
        for name in ("id", "invoiceNumber", "paidDate", "webServiceDate"):
            texts.append(raw.patch("Invoices", {"id": key, name: odd}).text)
        settings = f"Companies/{sb.rows('Companies')[0]['id']}/invoiceSettings"
        for name in ("taxExempt", "taxRegionId", "taxId"):
            texts.append(raw.put(settings, {name: odd}).text)
    for broken in (b"{", b"[1,", b'{"filter": tru}', b"\xff\xfe", b'"\x01"', b"NaN", b"[" * 2000):
        texts.append(raw.session.post(f"{sb.api_url}V1.0/Invoices/query", data=broken, timeout=20).text)
    told = [text for text in texts if '"errors"' in text]
    assert len(told) > 100
    assert [text for text in told if PYTHON.search(" ".join(json.loads(text)["errors"]))] == []
    assert {one.says for one in sb.requests} <= {"", "validation"}
