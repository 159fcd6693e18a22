"""Pages: by POST with the same body, by GET with the search in the URL."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox import Sandbox
from tests.sandbox.conftest import EVERYTHING, Api, where


def test_post_pages_follow_each_other_with_the_same_body(seeded_api: Api, seeded: Sandbox) -> None:
    body = {**EVERYTHING, "maxRecords": 50}
    answer = seeded_api.post("Invoices/query", body).json()
    found, pages = list(answer["items"]), 1
    while answer["pageDetails"]["nextPageUrl"]:
        answer = seeded_api.post(answer["pageDetails"]["nextPageUrl"], body).json()
        found += answer["items"]
        pages += 1

    assert pages == 3
    assert [row["id"] for row in found] == [row["id"] for row in seeded.rows("Invoices")]
    assert answer["pageDetails"]["count"] == 20
    assert answer["pageDetails"]["requestCount"] == 50


def test_the_next_page_url_is_absolute_and_on_the_zones_own_host(seeded_api: Api, seeded: Sandbox) -> None:
    details = seeded_api.post("Invoices/query", {**EVERYTHING, "maxRecords": 50}).json()["pageDetails"]

    assert details["nextPageUrl"].startswith(f"{seeded.api_url}V1.0/Invoices/query/next?paging=")
    assert details["prevPageUrl"] is None


def test_the_previous_page_is_the_one_before(seeded_api: Api) -> None:
    body = {**EVERYTHING, "maxRecords": 50}
    first = seeded_api.post("Invoices/query", body).json()
    second = seeded_api.post(first["pageDetails"]["nextPageUrl"], body).json()

    back = seeded_api.post(second["pageDetails"]["prevPageUrl"], body).json()

    assert back["items"] == first["items"]
    assert back["pageDetails"]["nextPageUrl"]


def test_a_full_last_page_has_no_next_one(seeded_api: Api) -> None:
    details = seeded_api.post("Invoices/query", {**EVERYTHING, "maxRecords": 120}).json()["pageDetails"]

    assert details == {"count": 120, "requestCount": 120, "prevPageUrl": None, "nextPageUrl": None}


def test_five_hundred_is_the_page_when_none_is_asked_for(seeded_api: Api) -> None:
    details = seeded_api.post("Invoices/query", EVERYTHING).json()["pageDetails"]

    assert details["requestCount"] == 500


def test_another_body_does_not_get_the_next_page(seeded_api: Api) -> None:
    url = seeded_api.post("Invoices/query", {**EVERYTHING, "maxRecords": 50}).json()["pageDetails"][
        "nextPageUrl"
    ]
    other = {"filter": [where("isVoided", "eq", False)], "maxRecords": 50}

    assert "does not belong" in seeded_api.refusal(seeded_api.post(url, other))
    assert "Value cannot be null" in seeded_api.refusal(seeded_api.post(url, None))


def test_get_on_a_post_querys_page_is_405_with_a_message(seeded_api: Api) -> None:
    url = seeded_api.post("Invoices/query", {**EVERYTHING, "maxRecords": 50}).json()["pageDetails"][
        "nextPageUrl"
    ]

    answer = seeded_api.get(url)

    assert answer.status_code == 405
    assert answer.json() == {"Message": "The requested resource does not support http method 'GET'."}


def test_get_on_a_post_querys_page_can_be_empty_instead(api: Api, sb: Sandbox) -> None:
    sb.switches.next_by_get = "empty"
    url = api.post("Currencies/query", {**EVERYTHING, "maxRecords": 2}).json()["pageDetails"]["nextPageUrl"]

    assert api.get(url).json()["items"] == []


def test_get_pages_carry_their_search(seeded_api: Api, seeded: Sandbox) -> None:
    search = json.dumps({**EVERYTHING, "maxRecords": 50})
    answer = seeded_api.get("Invoices/query", params={"search": search}).json()
    found = list(answer["items"])
    while answer["pageDetails"]["nextPageUrl"]:
        answer = seeded_api.get(answer["pageDetails"]["nextPageUrl"]).json()
        found += answer["items"]

    assert [row["id"] for row in found] == [row["id"] for row in seeded.rows("Invoices")]


@pytest.mark.parametrize("token", ["", "x", "e30=", "eyJhZnRlciI6ICJ4In0=", "%7B%22nextIds%22%3A%5B%5D%7D"])
def test_a_made_up_page_is_refused(seeded_api: Api, token: str) -> None:
    assert seeded_api.post(f"Invoices/query/next?paging={token}", EVERYTHING).status_code == 500
    search = json.dumps(EVERYTHING)
    assert seeded_api.get(f"Invoices/query/next?paging={token}", params={"search": search}).status_code == 500


def test_old_page_positions_can_be_forgotten(api: Api, sb: Sandbox) -> None:
    sb.switches.page_positions = 2
    body = {**EVERYTHING, "maxRecords": 1}
    urls = []
    answer = api.post("Currencies/query", body).json()
    while answer["pageDetails"]["nextPageUrl"]:
        urls.append(answer["pageDetails"]["nextPageUrl"])
        answer = api.post(urls[-1], body).json()

    assert "expired" in api.refusal(api.post(urls[0], body))


def test_rows_that_come_or_go_between_pages_shift_nothing(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    keys = [sb.add_invoice(companyID=company) for _ in range(6)]
    body = {**EVERYTHING, "maxRecords": 3}
    first = api.post("Invoices/query", body).json()
    sb.remove_invoice(keys[0])
    new = sb.add_invoice(companyID=company)

    second = api.post(first["pageDetails"]["nextPageUrl"], body).json()
    third = api.post(second["pageDetails"]["nextPageUrl"], body).json()

    assert [row["id"] for row in second["items"] + third["items"]] == [*keys[3:], new]


def test_ids_ascend_even_when_one_appears_late(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    for key in (30, 10, 20):
        sb.add_invoice(companyID=company, id=key)

    assert api.ids("Invoices", where("id", "gt", 0)) == [10, 20, 30]


def test_child_collections_page_by_get(api: Api, sb: Sandbox) -> None:
    company, other = sb.add_company(), sb.add_company()
    keys = [sb.add_contact(companyID=company) for _ in range(3)]
    sb.add_contact(companyID=other)

    items: list[dict[str, Any]] = api.get(f"Companies/{company}/Contacts").json()["items"]

    assert [item["id"] for item in items] == keys


def test_the_host_a_client_uses_is_the_host_it_gets_back(api: Api, sb: Sandbox) -> None:
    named = sb.api_url.replace("127.0.0.1", "localhost")

    answer = api.post(f"{named}V1.0/Currencies/query", {**EVERYTHING, "maxRecords": 2}).json()

    assert urlsplit(answer["pageDetails"]["nextPageUrl"]).netloc == f"localhost:{sb.port}"
