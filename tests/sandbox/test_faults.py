"""Which call a fault hits, and what the faults of statuses, bodies and rows do."""

import json
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox import Sandbox
from sandbox.faults.kinds import all_kinds
from tests.sandbox.conftest import EVERYTHING, Api, where

NUMBERS = [f"F{number}" for number in range(1, 32)]


@pytest.fixture
def company(sb: Sandbox) -> int:
    return sb.add_company(companyName="Harbor Foods")


@pytest.fixture
def invoices(sb: Sandbox, company: int) -> list[int]:
    return [sb.add_invoice(companyID=company, invoiceTotal=n, paidDate="2026-05-01") for n in (10, 20, 30)]


def raw_value(answer: requests.Response, field: str) -> str:
    """The JSON text of a field's first occurrence."""
    text = answer.text
    at = text.index(f'"{field}":') + len(field) + 3
    ends = min(place for place in (text.find(",", at), text.find("}", at)) if place > 0)
    return text[at:ends]


def test_every_number_from_f1_to_f31_has_a_fault() -> None:
    assert sorted({kind.number for kind in all_kinds()}, key=lambda one: int(one[1:])) == NUMBERS
    assert len({kind.name for kind in all_kinds()}) == len(all_kinds())


@pytest.mark.parametrize(
    "mistake", [{"kind": "F99"}, {"kind": "F11", "colour": 1}, {"kind": "F11", "status": 418}]
)
def test_an_unknown_fault_parameter_or_choice_is_refused(sb: Sandbox, mistake: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"there is no fault|has no parameter|can be"):
        sb.faults.add(**mistake)


def test_a_fault_hits_the_nth_matching_call_as_often_as_asked(raw: Api, sb: Sandbox) -> None:
    fault = sb.faults.add("F11", entity="Currencies", verb="get", nth=2, times=2, status=502)

    statuses = [raw.get("Currencies/1").status_code for _ in range(5)]
    others = [raw.get("TaxRegions/1").status_code, raw.post("Currencies/query", EVERYTHING).status_code]

    assert statuses == [200, 502, 502, 200, 200]
    assert others == [200, 200]
    assert (fault.seen, fault.hits) == (5, 2)


def test_a_fault_hits_any_call_when_nothing_is_named(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("server_error", times=0)

    assert raw.get("Currencies/1").status_code == 503
    assert raw.get("zoneInformation", params={"user": sb.username}).status_code == 503
    sb.faults.clear()
    assert raw.get("Currencies/1").status_code == 200


@pytest.mark.parametrize(
    ("verb", "hit"), [("write", True), ("read", False), ("pages", False), ("patch", True)]
)
def test_verbs_can_be_named_in_groups(
    raw: Api, sb: Sandbox, invoices: list[int], verb: str, hit: bool
) -> None:
    sb.faults.add("F11", verb=verb, times=0)

    assert (raw.patch("Invoices", {"id": invoices[0]}).status_code == 503) is hit


def test_the_log_names_the_fault_that_hit_a_call(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("F10")
    raw.get("Currencies/1")

    assert sb.requests[-1].fault == "F10 validation_error"
    assert sb.requests[-1].status == 500


@pytest.mark.parametrize("applied", [True, False])
def test_a_write_can_take_effect_although_its_answer_is_an_error(
    raw: Api, sb: Sandbox, invoices: list[int], applied: bool
) -> None:
    sb.faults.add("F11", entity="Invoices", verb="patch", applied=applied)

    assert raw.patch("Invoices", {"id": invoices[0], "invoiceNumber": "X"}).status_code == 503

    held = sb.invoice(invoices[0])
    assert held is not None
    assert (held["invoiceNumber"] == "X") is applied
    assert bool(sb.requests[-1].changed) is applied


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"kind": "F7"}, 200, b"<!DOCTYPE html>"),
        ({"kind": "F7", "page": "login"}, 200, b"Sign in"),
        ({"kind": "F8", "body": "empty"}, 200, b""),
        ({"kind": "F8", "body": "204"}, 204, b""),
        ({"kind": "F8", "body": "null"}, 200, b"null"),
        ({"kind": "F8", "body": "[]"}, 200, b"[]"),
        ({"kind": "F8", "body": "{}"}, 200, b"{}"),
        ({"kind": "F9", "text": "Oops"}, 200, b'{"errors": ["Oops"]}'),
        ({"kind": "F10", "text": "Locked"}, 500, b'{"errors": ["Locked"]}'),
        ({"kind": "F10", "text": ["a", "b"]}, 500, b'{"errors": ["a", "b"]}'),
        ({"kind": "F11", "status": 500, "body": "empty"}, 500, b""),
        ({"kind": "F11", "status": 504}, 504, b"<html>"),
        ({"kind": "F13"}, 429, b"thread threshold of 3 threads"),
        ({"kind": "F13", "status": 500}, 500, b"thread threshold of 3 threads"),
        ({"kind": "F15"}, 401, b""),
    ],
)
def test_faults_of_the_status_and_body(
    raw: Api, sb: Sandbox, fault: dict[str, Any], status: int, body: bytes
) -> None:
    sb.faults.add(**fault)

    answer = raw.get("Currencies/1")

    assert answer.status_code == status
    assert body in answer.content if body else not answer.content


@pytest.mark.parametrize("wait", ["120", 0, 10**9, "soon", None])
def test_retry_after_can_be_anything(raw: Api, sb: Sandbox, wait: Any) -> None:
    sb.faults.add("F12", retry_after=wait)

    answer = raw.get("Currencies/1")

    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == (None if wait is None else str(wait))


def test_retry_after_can_be_a_date(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("F12", retry_after="date")

    assert raw.get("Currencies/1").headers["Retry-After"].endswith(" GMT")


def test_the_threshold_can_claim_to_be_used_up(api: Api, sb: Sandbox) -> None:
    sb.faults.add("F14", used=8_600)

    assert api.get("ThresholdInformation").json()["currentTimeframeRequestCount"] == 8_600
    assert api.get("Version").status_code == 200


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_leads_elsewhere(raw: Api, sb: Sandbox, status: int) -> None:
    sb.faults.add("F16", status=status, location="http://127.0.0.1:1/")

    answer = raw.get("Currencies/1")

    assert (answer.status_code, answer.headers["Location"]) == (status, "http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("encoding", "begins"), [("bom", b"\xef\xbb\xbf{"), ("utf16", b"\xff\xfe{"), ("invalid_utf8", b'{"item')]
)
def test_the_body_can_be_no_plain_utf8(raw: Api, sb: Sandbox, encoding: str, begins: bytes) -> None:
    sb.faults.add("bad_encoding", encoding=encoding)

    content = raw.get("Currencies/1").content

    assert content.startswith(begins)
    if encoding == "invalid_utf8":
        with pytest.raises(UnicodeDecodeError):
            content.decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("comma", '"12'),
        ("huge", "1e400"),
        ("nan", "NaN"),
        ("minus_zero", "-0"),
        ("null", "null"),
        ("true", "true"),
        ("long", "9" * 5_000),
    ],
)
def test_an_amount_can_be_none(raw: Api, sb: Sandbox, invoices: list[int], value: str, text: str) -> None:
    sb.faults.add("F20", entity="Invoices", value=value)

    answer = raw.post("Invoices/query", EVERYTHING)

    assert raw_value(answer, "invoiceTotal") == text
    if value not in ("nan", "huge", "long"):
        assert [row["invoiceTotal"] for row in answer.json()["items"][1:]] == [20, 30]


def test_an_amount_can_be_missing_in_the_row_of_an_id(raw: Api, sb: Sandbox, invoices: list[int]) -> None:
    sb.faults.add("F20", entity="Invoices", value="missing", id=invoices[1])

    rows = raw.post("Invoices/query", EVERYTHING).json()["items"]

    assert ["invoiceTotal" in row for row in rows] == [True, False, True]
    assert "invoiceTotal" not in raw.get(f"Invoices/{invoices[1]}").json()["item"]


@pytest.mark.parametrize(
    ("kind", "value"), [("F21", "0.005"), ("F21", "33.335"), ("F22", "0"), ("F22", "-120.5")]
)
def test_an_amount_can_be_any_number_in_every_row(
    raw: Api, sb: Sandbox, invoices: list[int], kind: str, value: str
) -> None:
    sb.faults.add(kind, entity="Invoices", value=value, every=True)

    answer = raw.post("Invoices/query", EVERYTHING)
    rows = json.loads(answer.text, parse_float=Decimal)["items"]

    assert [str(row["invoiceTotal"]) for row in rows] == [value] * 3


@pytest.mark.parametrize(
    ("value", "text"), [("zero", "0"), ("negative", "-17"), ("text", '"1"'), ("huge", str(2**63))]
)
def test_an_id_can_be_wrong(raw: Api, sb: Sandbox, invoices: list[int], value: str, text: str) -> None:
    sb.faults.add("F23", entity="Invoices", value=value)

    assert raw_value(raw.post("Invoices/query", EVERYTHING), "id") == text


def test_an_id_can_be_missing_or_come_twice(raw: Api, sb: Sandbox, invoices: list[int]) -> None:
    first, second, third = invoices
    sb.faults.add("F23", entity="Invoices", value="missing", id=second, times=1)
    rows = raw.post("Invoices/query", EVERYTHING).json()["items"]
    assert [row.get("id") for row in rows] == [first, None, third]

    sb.faults.clear()
    sb.faults.add("F23", entity="Invoices", value="twice_in_page")
    assert raw.ids("Invoices", where("id", "gt", 0)) == [first, first, second, third]

    sb.faults.clear()
    sb.faults.add("F23", entity="Invoices", value="twice_across_pages")
    body = {**EVERYTHING, "maxRecords": 2}
    page = raw.post("Invoices/query", body).json()
    again = raw.post(page["pageDetails"]["nextPageUrl"], body).json()
    assert [row["id"] for row in page["items"] + again["items"]] == [first, second, first, third]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("unknown_field", {"invoiceTotal": 10.0, "zzNewField": {"nested": [1, 2, 3]}}),
        ("renamed", {"invoiceTotalNew": 10.0}),
        ("object", {"invoiceTotal": {"value": 10.0}}),
        ("list", {"invoiceTotal": [10.0]}),
    ],
)
def test_the_shape_of_a_record_can_drift(
    raw: Api, sb: Sandbox, invoices: list[int], value: str, shape: dict[str, Any]
) -> None:
    sb.faults.add("F24", entity="Invoices", value=value)

    item = raw.get(f"Invoices/{invoices[0]}").json()["item"]

    assert {name: one for name, one in item.items() if name.startswith(("invoiceTotal", "zz"))} == shape


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("year_one", "0001-01-01T00:00:00Z"),
        ("year_20250", "20250-01-05T00:00:00Z"),
        ("no_zone", "2026-01-05T10:00:00"),
        ("far_zone", "2026-01-05T10:00:00+14:00"),
        ("hour_24", "2026-01-05T24:00:00Z"),
        ("february_30", "2026-02-30T00:00:00Z"),
        ("empty", ""),
        ("2026-13-01", "2026-13-01"),
    ],
)
def test_a_date_can_be_out_of_this_world(
    raw: Api, sb: Sandbox, invoices: list[int], value: str, text: str
) -> None:
    sb.faults.add("F25", entity="Invoices", value=value)

    assert raw.get(f"Invoices/{invoices[0]}").json()["item"]["dueDate"] == text


def test_a_paid_date_can_have_a_time(raw: Api, sb: Sandbox, invoices: list[int]) -> None:
    sb.faults.add("F26", value="2026-11-20T23:59:59.997+14:00")

    assert raw.get(f"Invoices/{invoices[0]}").json()["item"]["paidDate"] == "2026-11-20T23:59:59.997+14:00"


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("formula", "=HYPERLINK"),
        ("image", "onerror"),
        ("htmx", "hx-on:load"),
        ("log_line", "\r\n"),
        ("own", "own"),
    ],
)
def test_text_can_be_hostile(raw: Api, sb: Sandbox, company: int, value: str, part: str) -> None:
    sb.faults.add("F30", entity="Companies", value=value)

    assert part in raw.get(f"Companies/{company}").json()["item"]["companyName"]


@pytest.mark.parametrize(
    ("value", "found"),
    [("lone_surrogate", "\ud800"), ("nul", "\x00"), ("rtl_override", "\u202e"), ("huge", "H" * 5_000_000)],
)
def test_text_can_have_characters_that_break_things(
    raw: Api, sb: Sandbox, company: int, value: str, found: str
) -> None:
    sb.faults.add("odd_text", entity="Companies", value=value)

    assert found in raw.get(f"Companies/{company}").json()["item"]["companyName"]


def test_next_page_urls_can_repeat_for_ever(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("F27", entity="Currencies", value="repeats")
    body = {**EVERYTHING, "maxRecords": 2}
    page = raw.post("Currencies/query", body).json()

    seen = []
    for _ in range(4):
        url = page["pageDetails"]["nextPageUrl"]
        page = raw.post(url, body).json()
        seen.append(([row["id"] for row in page["items"]], url))

    assert all(one == seen[0] for one in seen)


def test_the_second_page_can_lead_back_to_the_first(raw: Api, sb: Sandbox) -> None:
    sb.faults.add("F27", entity="Currencies", value="back_to_first")
    body = {**EVERYTHING, "maxRecords": 2}
    url, seen = None, []
    for _ in range(4):
        page = raw.post(url or "Currencies/query", body).json()
        url = page["pageDetails"]["nextPageUrl"]
        seen.append([row["id"] for row in page["items"]])

    assert seen == [[1, 2], [3, 4], [1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        ("other_host", "https://webservices99.evil.example/"),
        ("script", "javascript:"),
        ("long", "http://127.0.0.1"),
        ("other_zone", "http://127.0.0.1"),
        ("other_port", "http://127.0.0.1:1/"),
        ("https://x.example/", "https://x.example/"),
    ],
)
def test_the_next_page_can_be_elsewhere(raw: Api, sb: Sandbox, value: str, begins: str) -> None:
    sb.faults.add("F28", entity="Currencies", value=value)

    url = raw.post("Currencies/query", EVERYTHING).json()["pageDetails"]["nextPageUrl"]

    assert url.startswith(begins)
    assert len(url) > 8_000 or value != "long"
    assert "/zone12/" in url or value != "other_zone"


def test_a_flood_of_rows_comes_and_goes(api: Api, sb: Sandbox, invoices: list[int]) -> None:
    sb.faults.add("F29", entity="Invoices", rows=3_000)
    assert api.post("Invoices/query/count", EVERYTHING).json() == {"queryCount": 3_003}
    unpaid = {"filter": [where("paidDate", "exist")]}
    assert api.post("Invoices/query/count", unpaid).json() == {"queryCount": 3_003}

    sb.faults.clear()

    assert api.ids("Invoices", where("id", "gt", 0)) == invoices


@pytest.mark.parametrize("value", ["html", "empty", "script", "wrong_base64", "null"])
def test_a_pdf_can_be_bad(raw: Api, sb: Sandbox, invoices: list[int], value: str) -> None:
    sb.faults.add("F31", value=value)

    found = raw.get(f"Invoices/{invoices[0]}/InvoicePdf").json()

    expected = {"html": "PGh0bWw", "empty": "", "script": "JVBERi0x", "wrong_base64": "JVBERi0xLjQ*"}
    assert found["data"] is None if value == "null" else found["data"].startswith(expected[value])
