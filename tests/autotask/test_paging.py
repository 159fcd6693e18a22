"""Reading a query page by page: complete, ascending, each record once, never in circles (F27 to F29)."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask.client import Client
from portal.autotask.errors import Rejected, Unavailable, Untrusted
from portal.autotask.filters import equals, everything
from portal.autotask.paging import Progress, id_of
from tests.autotask.conftest import V1, ZONE, credentials

QUERY = f"{V1}Invoices/query"
NEXT = f"{V1}Invoices/query/next?paging="
MISSING: Any = object()


def page(ids: list[Any], following: Any = None, details: Any = MISSING) -> dict[str, Any]:
    answer: dict[str, Any] = {"items": [{"id": i} for i in ids]}
    if details is MISSING:
        details = {"count": len(ids), "requestCount": 500, "prevPageUrl": None, "nextPageUrl": following}
    if details != "absent":
        answer["pageDetails"] = details
    return answer


def ids_of(client: Client, **options: Any) -> list[list[Any]]:
    return [[row["id"] for row in rows] for rows in client.pages("Invoices", everything(), **options)]


def test_the_next_page_is_asked_for_by_post_with_the_same_body(autotask, client):
    autotask.post(QUERY, json=page([1, 2], NEXT + "2"))
    autotask.post(NEXT + "2", json=page([5, 9]))
    assert ids_of(client, include_fields=["invoiceTotal"]) == [[1, 2], [5, 9]]
    first, second = (call.request for call in autotask.calls)
    assert first.body == second.body
    assert json.loads(first.body) == {
        "maxRecords": 500,
        "filter": [{"op": "gte", "field": "id", "value": 0}],
        "includeFields": ["id", "invoiceTotal"],
    }


def test_a_read_is_taken_up_again_behind_an_id(autotask, client):
    autotask.post(QUERY, json=page([8, 9]))
    assert list(client.pages("Invoices", equals("companyID", 3), page_size=50, after_id=7))
    body = json.loads(autotask.calls[0].request.body)
    assert body["maxRecords"] == 50
    assert body["filter"] == [
        {"op": "eq", "field": "companyID", "value": 3},
        {"op": "gt", "field": "id", "value": 7},
    ]


def test_the_partners_own_company_with_the_id_0_is_read(autotask, client):
    autotask.post(QUERY, json=page([0, 1]))
    assert ids_of(client) == [[0, 1]]


@pytest.mark.parametrize("details", ["absent", None, {}, {"nextPageUrl": None}, {"nextPageUrl": ""}])
def test_a_short_page_without_a_next_one_is_the_last(autotask, client, details):
    autotask.post(QUERY, json=page([1, 2], details=details))
    assert ids_of(client) == [[1, 2]]
    assert client.calls == 1


@pytest.mark.parametrize("details", ["absent", None, {}])
def test_a_full_page_without_paging_details_is_gone_on_from_by_id(autotask, client, details):
    autotask.post(QUERY, json=page([1, 2], details=details))
    autotask.post(QUERY, json=page([3], details=details))
    assert ids_of(client, page_size=2) == [[1, 2], [3]]
    assert json.loads(autotask.calls[1].request.body)["filter"][-1] == {"op": "gt", "field": "id", "value": 2}


def test_an_empty_result_is_no_page(autotask, client):
    autotask.post(QUERY, json=page([]))
    assert ids_of(client) == []


@pytest.mark.parametrize(
    "body", ["{}", '{"items":null}', '{"items":{}}', '{"item":{"id":1}}', "[]", "null", ""]
)
def test_an_answer_without_records_is_not_taken_for_no_invoices(autotask, client, body):
    autotask.post(QUERY, body=body)
    with pytest.raises(Unavailable):
        ids_of(client)


def test_a_page_that_repeats_stops_the_read(autotask, client):
    autotask.post(QUERY, json=page([1, 2], NEXT + "2"))
    autotask.post(NEXT + "2", json=page([1, 2], NEXT + "3"))
    with pytest.raises(Unavailable, match="same records again"):
        ids_of(client)
    assert client.calls == 2


def test_a_next_page_that_leads_back_stops_the_read(autotask, client):
    autotask.post(QUERY, json=page([1], NEXT + "2"))
    autotask.post(NEXT + "2", json=page([2], NEXT + "2"))
    with pytest.raises(Unavailable, match="same page again"):
        ids_of(client)


def test_a_page_that_goes_back_stops_the_read(autotask, client):
    autotask.post(QUERY, json=page([5, 6], NEXT + "2"))
    autotask.post(NEXT + "2", json=page([4, 7]))
    with pytest.raises(Unavailable, match="same records again"):
        ids_of(client)


def test_an_empty_page_in_between_stops_the_read(autotask, client):
    autotask.post(QUERY, json=page([], NEXT + "2"))
    with pytest.raises(Unavailable, match="empty page in between"):
        ids_of(client)


def test_records_that_overlap_two_pages_come_once(autotask, client):
    autotask.post(QUERY, json=page([1, 2], NEXT + "2"))
    autotask.post(NEXT + "2", json=page([2, 3]))
    assert ids_of(client) == [[1, 2], [3]]


def test_a_record_twice_on_a_page_comes_once_as_sent_last(autotask, client):
    items = [{"id": 2, "n": 1}, {"id": 1}, {"id": 2, "n": 2}]
    autotask.post(QUERY, json={"items": items, "pageDetails": {"nextPageUrl": None}})
    assert list(client.pages("Invoices", everything())) == [[{"id": 1}, {"id": 2, "n": 2}]]


def test_rows_without_a_usable_id_are_passed_on_and_do_not_disturb(autotask, client):
    autotask.post(QUERY, json=page([3, None, "4", -1, "x"]))
    assert ids_of(client) == [[3, "4", None, -1, "x"]]


def test_a_broken_second_page_gives_the_first_whole_and_then_the_error(autotask, client):
    autotask.post(QUERY, json=page([1], NEXT + "2"))
    autotask.post(NEXT + "2", body='{"items":[{"id":2},')
    pages = client.pages("Invoices", everything())
    assert next(pages) == [{"id": 1}]
    with pytest.raises(Unavailable):
        next(pages)
    assert client.calls == 4


@pytest.mark.parametrize(
    "url",
    [
        "https://webservices6.autotask.net/ATServicesRest/V1.0/Invoices/query/next",
        "http://webservices5.autotask.net/ATServicesRest/V1.0/Invoices/query/next",
        "https://webservices5.autotask.net:444/ATServicesRest/V1.0/Invoices/query/next",
        "https://webservices5.autotask.net/elsewhere",
        "https://webservices5.autotask.net/ATServicesRest/../elsewhere",
        "https://webservices5.autotask.net/ATServicesRest/%2e%2e/elsewhere",
        "https://evil.example/ATServicesRest/V1.0/Invoices/query/next",
        "https://webservices5.autotask.net@evil.example/ATServicesRest/V1.0/",
        "https://webservices5.autotask.net.evil.example/ATServicesRest/V1.0/",
        "//evil.example/ATServicesRest/V1.0/Invoices/query/next",
        "/ATServicesRest/V1.0/Invoices/query/next",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://[::1]/ATServicesRest/",
        NEXT + "x" * 8192,
        7,
        ["https://webservices5.autotask.net/"],
        {"a": 1},
    ],
)
def test_a_next_page_elsewhere_is_never_asked_for(autotask, client, url):
    autotask.post(QUERY, json=page([1], url))
    with pytest.raises(Untrusted):
        ids_of(client)
    assert len(autotask.calls) == 1


def test_the_case_of_the_path_and_the_usual_port_may_differ(autotask, client):
    url = "https://WebServices5.autotask.net:443/atservicesrest/v1.0/invoices/query/next?paging=2"
    autotask.post(QUERY, json=page([1], url))
    autotask.post("https://webservices5.autotask.net/atservicesrest/v1.0/invoices/query/next", json=page([2]))
    assert ids_of(client) == [[1], [2]]


EXPIRED = {"errors": ["The paging information has expired."]}


def test_a_next_page_that_is_refused_is_gone_on_from_by_id(autotask, client):
    autotask.post(QUERY, json=page([1, 2], NEXT + "2"))
    autotask.post(NEXT + "2", json=EXPIRED, status=500)
    autotask.post(QUERY, json=page([5, 6], NEXT + "4"))
    autotask.post(NEXT + "4", json=page([7]))
    assert ids_of(client) == [[1, 2], [5, 6], [7]]
    third, fourth = (json.loads(call.request.body) for call in list(autotask.calls)[2:])
    assert third["filter"][-1] == {"op": "gt", "field": "id", "value": 2}
    assert third == fourth


def test_links_that_are_refused_twice_are_followed_no_more(autotask, client):
    for ids in ([1, 2], [3, 4], [5, 6]):
        autotask.post(QUERY, json=page(ids, NEXT + str(ids[0])))
    autotask.post(QUERY, json=page([7]))
    for number in (1, 3):
        autotask.post(NEXT + str(number), json=EXPIRED, status=500)
    assert ids_of(client) == [[1, 2], [3, 4], [5, 6], [7]]
    assert client.calls == 6


@pytest.mark.parametrize("status", [500, 404, 405, 410])
def test_what_is_refused_by_id_as_well_ends_the_read_with_words(autotask, client, status):
    autotask.post(QUERY, json=page([1, 2], NEXT + "2"))
    autotask.post(NEXT + "2", json=EXPIRED, status=status)
    autotask.post(QUERY, json={"errors": ["No more for you."]}, status=500)
    pages = client.pages("Invoices", everything())
    assert next(pages) == [{"id": 1}, {"id": 2}]
    with pytest.raises(Rejected, match=r"next page, and reading on by ID too\..*No more for you"):
        next(pages)
    assert client.calls == 3


def test_a_refused_first_page_is_refused_in_autotasks_words(autotask, client):
    autotask.post(QUERY, json=EXPIRED, status=500)
    with pytest.raises(Rejected, match=r"^Autotask refused: The paging information has expired\.$"):
        ids_of(client)
    assert client.calls == 1


@given(
    st.lists(st.integers(0, 300), unique=True, max_size=60),
    st.integers(2, 9),
    st.integers(0, 20),
    st.booleans(),
    st.booleans(),
)
def test_every_record_comes_once_and_in_order_whatever_the_order_and_whichever_links_are_refused(
    ids, size, served, has_links, backwards
):
    """Rule 3.3: the order by ID is observed, not promised; a link may be forgotten at any time."""
    held = sorted(ids, reverse=backwards)
    calls, links = 0, 0

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        nonlocal calls, links
        calls += 1
        assert calls < 2000, "it does not end"
        bounds = {
            one["op"]: one["value"] for one in json.loads(request.body)["filter"] if one["field"] == "id"
        }
        low, high = bounds.get("gt", -1), bounds.get("lte", 10**6)
        found = [i for i in held if low < i <= high]
        start = int(parse_qs(urlsplit(request.url).query).get("paging", ["0"])[0])
        if start:
            links += 1
            if links > served:
                return 500, {}, json.dumps(EXPIRED)
        rest = NEXT + str(start + size) if start + size < len(found) else None
        return (
            200,
            {},
            json.dumps(page(found[start : start + size], rest, MISSING if has_links else "absent")),
        )

    with responses.RequestsMock() as mock:
        mock.add_callback("POST", QUERY, callback=answer)
        mock.add_callback("POST", NEXT.partition("?")[0], callback=answer)
        mock.assert_all_requests_are_fired = False
        with Client(ZONE, credentials(), trusted_hosts=[], sleep=lambda seconds: None) as client:
            read = [i for rows in ids_of(client, page_size=size) for i in rows]
    assert read == sorted(ids)


@given(
    st.lists(st.integers(0, 500), unique=True, max_size=60).map(sorted),
    st.integers(1, 9),
    st.lists(st.integers(0, 12), max_size=5),
)
def test_every_record_comes_exactly_once_whatever_breaks_in_between(ids, size, broken):
    """Rule 3.3: cuts at any call cost tries, never records."""
    seen = 0

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        nonlocal seen
        seen += 1
        if seen - 1 in broken and seen not in broken:
            return 502, {}, ""
        start = int(parse_qs(urlsplit(request.url).query).get("paging", ["0"])[0])
        rest = NEXT + str(start + size) if start + size < len(ids) else None
        return 200, {}, json.dumps(page(ids[start : start + size], rest))

    with responses.RequestsMock() as mock:
        mock.add_callback("POST", QUERY, callback=answer)
        mock.add_callback("POST", NEXT.partition("?")[0], callback=answer)
        mock.assert_all_requests_are_fired = False
        with Client(ZONE, credentials(), trusted_hosts=[], sleep=lambda seconds: None) as client:
            assert [i for rows in ids_of(client) for i in rows] == ids


@given(
    st.lists(st.lists(st.one_of(st.integers(-3, 30), st.none(), st.text(max_size=2)), max_size=6), max_size=6)
)
def test_what_is_taken_ascends_and_never_repeats_whatever_comes(pages):
    progress, taken = Progress(0), []
    for ids in pages:
        try:
            rows = progress.take([{"id": i} for i in ids])
        except Unavailable:
            break
        taken += [i for row in rows if (i := id_of(row)) is not None]
    assert taken == sorted(set(taken))
