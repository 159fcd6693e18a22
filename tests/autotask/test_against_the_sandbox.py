"""The client against a whole Autotask: reading, writing, documents, and every fault of the list F1 to F31."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.autotask import records
from portal.autotask.client import Client, Credentials, Timeouts
from portal.autotask.errors import (
    AutotaskError,
    BadRecord,
    Forbidden,
    NotFound,
    Permanent,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
    UnknownUser,
    Untrusted,
)
from portal.autotask.filters import (
    SyncFilters,
    all_of,
    any_of,
    contact_conditions,
    created_since,
    customer_conditions,
    equals,
    everything,
    ids_in,
    invoice_conditions,
    matches_contact,
    matches_customer,
    matches_invoice,
    modified_since,
    unpaid_invoices,
)
from portal.autotask.zones import discover
from sandbox import Sandbox

HASTY = Timeouts(connect=0.4, read=0.4, total=0.7)
READERS = {
    "Companies": (records.company, records.COMPANY_FIELDS),
    "Contacts": (records.contact, records.CONTACT_FIELDS),
    "Invoices": (records.invoice, records.INVOICE_FIELDS),
    "BillingItems": (records.line, records.LINE_FIELDS),
    "Currencies": (records.currency, None),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=7, customers=40, invoices=120, today=date(2026, 11, 22)) as made:
        yield made


@pytest.fixture
def sb(running: Sandbox) -> Iterator[Sandbox]:
    """The running sandbox, whose switches, faults and rights are put back afterwards."""
    running.clear_usage()
    yield running
    running.faults.clear()
    running.switches.reset()
    running.allow()
    running.unlock_user()


def opened(sb: Sandbox, secret: str | None = None, **options: Any) -> Client:
    zone = discover(sb.username, discovery_url=sb.discovery_url, trusted_hosts=[f"127.0.0.1:{sb.port}"])
    credentials = Credentials(sb.username, secret or sb.secret, sb.integration_code)
    options = {"sleep": lambda seconds: None, **options}
    return Client(zone.url, credentials, trusted_hosts=[f"127.0.0.1:{sb.port}"], **options)


@pytest.fixture
def client(sb: Sandbox) -> Iterator[Client]:
    with opened(sb) as made:
        yield made


def ids_of(client: Client, entity: str, wanted: Any) -> list[int]:
    return [row["id"] for page in client.pages(entity, wanted, page_size=50) for row in page]


@pytest.mark.parametrize("entity", READERS)
@pytest.mark.parametrize("page_size", [7, 500])
def test_every_record_is_read_once_and_understood(sb, client, entity, page_size):
    read, fields = READERS[entity]
    pages = list(client.pages(entity, everything(), include_fields=fields, page_size=page_size))
    found = [read(row) for page in pages for row in page]
    assert [record["autotask_id"] for record in found] == [row["id"] for row in sb.rows(entity)]
    assert client.count(entity, everything()) == len(found)
    assert max(map(len, pages)) <= page_size


def test_a_read_goes_on_behind_an_id(sb, client):
    ids = [row["id"] for row in sb.rows("Invoices")]
    rest = [row["id"] for page in client.pages("Invoices", everything(), after_id=ids[49]) for row in page]
    assert rest == ids[50:]


def test_unpaid_invoices_are_found(sb, client):
    open_ones = [row["id"] for row in sb.rows("Invoices") if row["paidDate"] is None and not row["isVoided"]]
    assert ids_of(client, "Invoices", unpaid_invoices()) == open_ones


def test_records_are_found_by_their_ids_and_by_groups(sb, client):
    ids = [row["id"] for row in sb.rows("Invoices")][::3]
    assert [i for portion in ids_in("id", ids) for i in ids_in_portion(client, portion)] == ids
    one = any_of(equals("id", ids[0]), all_of(equals("id", ids[1]), equals("isVoided", False)))
    assert ids[0] in ids_of(client, "Invoices", one)


def ids_in_portion(client: Client, portion: Any) -> list[int]:
    return ids_of(client, "Invoices", portion)


def test_what_changed_since_an_instant_is_found(sb, client):
    rows = [records.company(row) for row in sb.rows("Companies")]
    middle = sorted(row["modified_at"] for row in rows)[len(rows) // 2]
    since = modified_since("lastTrackedModifiedDateTime", middle)
    assert ids_of(client, "Companies", since) == [
        row["autotask_id"] for row in rows if row["modified_at"] >= middle
    ]
    invoices = [records.invoice(row) for row in sb.rows("Invoices")]
    newest = max(row["created_at"] for row in invoices)
    assert ids_of(client, "Invoices", created_since(newest))


FILTERS = [
    SyncFilters(),
    SyncFilters(company_types=(1,), active_only=True),
    SyncFilters(company_types=(1, 2), classifications=(1, 2, 3), territories=(1, 2), market_segments=(1, 2)),
    SyncFilters(contacts="billing", invoices_since=date(2026, 9, 1)),
    SyncFilters(
        contacts="field", contact_field="Receives Invoices", contact_value="Yes", skip_zero_totals=True
    ),
]


@pytest.mark.parametrize("chosen", FILTERS)
def test_autotask_and_the_portal_agree_on_what_is_inside_the_filters(sb, client, chosen):
    """Rule 2: what a query brings and what is marked "outside filters" are the same decision."""
    sides: list[tuple[str, Any, Callable[..., bool]]] = [
        ("Companies", customer_conditions(chosen), matches_customer),
        ("Contacts", contact_conditions(chosen), matches_contact),
        ("Invoices", invoice_conditions(chosen), matches_invoice),
    ]
    for entity, conditions, matches in sides:
        rows = [READERS[entity][0](row) for row in sb.rows(entity)]
        inside = [row["autotask_id"] for row in rows if matches(chosen, row)]
        assert ids_of(client, entity, conditions) == inside


def an_open_invoice(sb: Sandbox) -> int:
    return next(row["id"] for row in sb.rows("Invoices") if row["paidDate"] is None and not row["isVoided"])


def test_a_paid_date_is_set_read_back_and_cleared(sb, client):
    key = an_open_invoice(sb)
    client.patch("Invoices", {"id": key, "paidDate": date(2026, 11, 20)})
    assert records.invoice(client.get("Invoices", key))["paid_on"] == date(2026, 11, 20)
    client.patch("Invoices", {"id": key, "paidDate": None})
    assert records.invoice(client.get("Invoices", key))["paid_on"] is None


def test_a_put_without_the_paid_date_clears_it_where_a_patch_is_ignored(sb, client):
    """Rule 5.5."""
    key = an_open_invoice(sb)
    client.patch("Invoices", {"id": key, "paidDate": date(2026, 11, 20)})
    sb.switches.patch_null = "ignored"
    client.patch("Invoices", {"id": key, "paidDate": None})
    before = client.get("Invoices", key)
    assert records.invoice(before)["paid_on"] == date(2026, 11, 20)
    client.put("Invoices", {name: before[name] for name in ("id", "invoiceNumber", "webServiceDate")})
    after = client.get("Invoices", key)
    assert records.invoice(after)["paid_on"] is None
    assert after["invoiceNumber"] == before["invoiceNumber"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_printed_invoice_is_a_pdf(sb, client, wrapped):
    sb.switches.pdf_wrapped = wrapped
    pdf = client.invoice_pdf(an_open_invoice(sb))
    assert pdf.data.startswith(b"%PDF-")
    assert pdf.name.endswith(".pdf")


def test_choices_fields_and_rights_are_read(sb, client):
    assert (1, "Customer") in client.picklist("Companies", "companyType")
    assert {"id", "paidDate", "invoiceTotal"} <= {field["name"] for field in client.fields("Invoices")}
    assert [field["name"] for field in client.user_defined_fields("Contacts")]
    assert client.entity_information("Invoices")["canQuery"] is True
    assert {records.currency(row)["code"] for row in client.currencies()} >= {"USD"}


def test_the_use_of_the_shared_budget_is_read(sb, client):
    sb.add_other_usage(4_000)
    threshold = client.threshold()
    assert (threshold.limit, threshold.minutes) == (10_000, 60)
    assert threshold.used >= 4_000


@pytest.mark.parametrize("missing", ["null", "404"])
def test_a_record_that_is_not_there_is_not_found(sb, client, missing):
    sb.switches.missing = missing
    with pytest.raises(NotFound):
        client.get("Invoices", 999_999_999)


def test_an_unknown_user_is_told_from_a_wrong_secret(sb):
    with pytest.raises(UnknownUser):
        discover("nobody@x.example", discovery_url=sb.discovery_url, trusted_hosts=["127.0.0.1"])
    with opened(sb, "wrong-secret") as client, pytest.raises(Unauthorized, match="key or secret"):
        client.threshold()
    assert client.calls == 1


@pytest.mark.parametrize("how", ["403", "500"])
def test_a_missing_right_names_what_cannot_be_read(sb, client, how):
    sb.switches.forbidden = how
    sb.forbid("BillingItems")
    with pytest.raises(Forbidden, match="no right to read BillingItems"):
        list(client.pages("BillingItems", everything()))


def test_a_partner_that_was_moved_is_refused_at_the_old_place_and_found_at_the_new(sb, client):
    """Rule 1.8: look the zone up once more and try once there."""
    sb.move_zone()
    with pytest.raises(Unauthorized):
        client.threshold()
    with opened(sb) as moved:
        assert moved.threshold().limit == 10_000


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_used_up_budget_is_throttling_in_any_status(sb, client, status):
    sb.switches.over_limit_status = status
    sb.add_other_usage(20_000)
    with pytest.raises(Throttled) as caught:
        client.count("Invoices", everything())
    assert caught.value.retry_after in (None, 60)
    assert client.calls == 1


# fault, its parameters, what a read gives; times=0 means for every call.
READING: list[tuple[str, dict[str, Any], type[AutotaskError]]] = [
    ("connection_refused", {}, Unavailable),
    ("connection_dropped", {}, Unavailable),
    ("connect_hangs", {}, Unavailable),
    ("body_hangs", {"seconds": 3.0}, Unavailable),
    ("slow_drip", {"every": 0.05, "seconds": 3.0}, Unavailable),
    ("reset_mid_body", {}, Unavailable),
    ("truncated_body", {"missing": 5}, Unavailable),
    ("html_page", {"page": "maintenance"}, Unavailable),
    ("html_page", {"page": "login"}, Unavailable),
    *(("hollow_answer", {"body": body}, Unavailable) for body in ("empty", "204", "null", "[]", "{}")),
    ("errors_with_200", {}, Rejected),
    ("validation_error", {}, Rejected),
    *(("server_error", {"status": s, "body": b}, Unavailable) for s in (500, 503) for b in ("html", "empty")),
    *(("too_many_requests", {"retry_after": wait}, Throttled) for wait in ("120", "0", "1000000000", "soon")),
    *(("thread_limit", {"status": status}, Throttled) for status in (200, 401, 403, 429, 500)),
    ("unauthorized", {}, Unauthorized),
    ("redirect", {"status": 307}, Untrusted),
    ("gzip_bomb", {"megabytes": 64}, Permanent),
    ("huge_body", {"megabytes": 64}, Permanent),
    ("deep_nesting", {"depth": 100_000}, Permanent),
    ("foreign_next_page", {}, Untrusted),
    ("paging_circle", {"value": "repeats"}, Unavailable),
    ("paging_circle", {"value": "back_to_first"}, Unavailable),
]


@pytest.mark.parametrize(("kind", "params", "error"), READING)
def test_a_fault_while_reading_is_our_error_and_never_a_short_answer(sb, kind, params, error):
    waits = kind in ("connect_hangs", "body_hangs", "slow_drip")
    with opened(sb, timeouts=HASTY if waits else Timeouts()) as client:
        rows = [row["id"] for row in sb.rows("Invoices")]
        sb.faults.add(kind, entity="Invoices", times=0, **params)
        taken: list[int] = []
        with pytest.raises(error) as caught:
            taken.extend(
                row["id"] for page in client.pages("Invoices", everything(), page_size=50) for row in page
            )
        assert issubclass(type(caught.value), error)
        assert str(caught.value).endswith(".")
        assert taken == rows[: len(taken)]


ONCE = [
    "connection_dropped",
    "reset_mid_body",
    "truncated_body",
    "html_page",
    "hollow_answer",
    "server_error",
]


@pytest.mark.parametrize("kind", ONCE)
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_fault_that_passes_costs_a_try_and_no_record(sb, kind, nth):
    with opened(sb) as client:
        sb.faults.add(kind, entity="Invoices", verb="pages", nth=nth)
        assert ids_of(client, "Invoices", everything()) == [row["id"] for row in sb.rows("Invoices")]


LOST: list[tuple[str, dict[str, Any]]] = [
    ("connection_dropped", {}),
    ("body_hangs", {"sent": 3, "seconds": 3.0}),
    ("reset_mid_body", {}),
    ("truncated_body", {}),
    ("hollow_answer", {}),
    ("server_error", {}),
]


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(("kind", "params"), LOST)
def test_a_write_whose_answer_is_lost_is_unknown_whether_it_was_done_or_not(sb, kind, params, applied):
    """Rule 5.6: a timeout is unknown, read before any second try."""
    key = an_open_invoice(sb)
    with opened(sb, timeouts=HASTY if kind == "body_hangs" else None) as client:
        sb.faults.add(kind, entity="Invoices", verb="patch", applied=applied, **params)
        with pytest.raises(Unavailable) as caught:
            client.patch("Invoices", {"id": key, "paidDate": date(2026, 11, 20)})
        assert caught.value.maybe_applied
        assert client.calls == 1
    with opened(sb) as client:
        assert (records.invoice(client.get("Invoices", key))["paid_on"] is not None) == applied
        client.patch("Invoices", {"id": key, "paidDate": None})


@pytest.mark.parametrize("encoding", ["invalid_utf8", "bom", "utf16"])
def test_an_odd_encoding_is_read(sb, client, encoding):
    sb.faults.add("bad_encoding", entity="Companies", encoding=encoding)
    assert ids_of(client, "Companies", everything()) == [row["id"] for row in sb.rows("Companies")]


def taken_in(client: Client, entity: str = "Invoices") -> tuple[list[dict[str, Any]], list[BadRecord]]:
    good, bad = [], []
    for page in client.pages(entity, everything()):
        for row in page:
            try:
                good.append(READERS[entity][0](row))
            except BadRecord as error:
                bad.append(error)
    return good, bad


@pytest.mark.parametrize("value", ["comma", "huge", "nan", "null", "true", "long", "missing"])
def test_a_bad_amount_spoils_its_row_alone(sb, client, value):
    """Rule 3.4."""
    sb.faults.add("bad_amount", entity="Invoices", value=value)
    good, bad = taken_in(client)
    assert [error.field for error in bad] == ["invoiceTotal"]
    assert len(good) == sb.count("Invoices") - 1


def test_minus_zero_is_zero(sb, client):
    sb.faults.add("bad_amount", entity="Invoices", value="minus_zero")
    good, bad = taken_in(client)
    assert bad == []
    assert not [record for record in good if str(record["total_raw"]).startswith("-0")]


@pytest.mark.parametrize("value", ["52.7775", "0.005", "33.335"])
def test_decimals_beyond_the_cent_are_kept(sb, client, value):
    sb.faults.add("many_decimals", entity="Invoices", value=value)
    good, _ = taken_in(client)
    assert good[0]["total_raw"] == Decimal(value)


@pytest.mark.parametrize("value", ["missing", "negative", "text", "huge"])
def test_a_bad_id_spoils_its_row_alone(sb, client, value):
    sb.faults.add("bad_id", entity="Invoices", value=value)
    good, bad = taken_in(client)
    assert len(good) + len(bad) == sb.count("Invoices")
    assert len(bad) <= 1


@pytest.mark.parametrize("value", ["twice_in_page", "twice_across_pages"])
def test_an_id_that_comes_twice_is_taken_once(sb, client, value):
    sb.faults.add("bad_id", entity="Invoices", value=value, times=0)
    found = ids_of(client, "Invoices", everything())
    assert found == sorted(set(found)) == [row["id"] for row in sb.rows("Invoices")]


@pytest.mark.parametrize(
    "value", ["year_one", "year_20250", "no_zone", "far_zone", "hour_24", "february_30", "empty"]
)
def test_a_date_out_of_this_world_costs_the_date_and_not_the_row(sb, client, value):
    sb.faults.add("bad_date", entity="Invoices", value=value)
    good, bad = taken_in(client)
    assert bad == []
    expected = date(2026, 1, 5) if value in ("no_zone", "far_zone", "hour_24") else None
    assert good[0]["due_on"] == expected


def test_a_paid_date_with_a_time_keeps_its_day(sb, client):
    sb.faults.add("paid_date_with_time", entity="Invoices", value="2026-11-20T23:59:59.997+14:00")
    good, _ = taken_in(client)
    assert good[0]["paid_on"] == date(2026, 11, 20)


@pytest.mark.parametrize("value", ["nul", "lone_surrogate", "rtl_override", "huge"])
def test_odd_text_is_cleaned_and_cut(sb, client, value):
    sb.faults.add("odd_text", entity="Companies", value=value)
    good, bad = taken_in(client, "Companies")
    assert bad == []
    assert all(len(record["name"]) <= 100 and record["name"].isprintable() for record in good)


@pytest.mark.parametrize("value", ["unknown_field", "renamed", "object", "list"])
def test_drift_spoils_one_row_at_most(sb, client, value):
    sb.faults.add("drift", entity="Invoices", value=value)
    good, bad = taken_in(client)
    assert len(bad) == (0 if value == "unknown_field" else 1)
    assert len(good) + len(bad) == sb.count("Invoices")


@pytest.mark.parametrize("value", ["html", "empty", "wrong_base64", "null"])
def test_a_document_that_is_no_pdf_is_refused(sb, value):
    with opened(sb) as client:
        sb.faults.add("bad_pdf", value=value, times=0)
        with pytest.raises((BadRecord, Unavailable)):
            client.invoice_pdf(an_open_invoice(sb))


@pytest.mark.parametrize("certificate", ["self_signed", "expired", "wrong_host"])
def test_a_bad_certificate_is_not_talked_to(sb, certificate):
    sb.faults.add("bad_certificate", certificate=certificate, times=0)
    zone = discover(sb.username, discovery_url=sb.discovery_url, trusted_hosts=["127.0.0.1", "localhost"])
    assert zone.url.startswith("https://")
    credentials = Credentials(sb.username, sb.secret, sb.integration_code)
    before = len(sb.requests)
    with (
        Client(zone.url, credentials, trusted_hosts=["127.0.0.1", "localhost"]) as client,
        pytest.raises(Untrusted, match="certificate could not be verified"),
    ):
        client.threshold()
    assert client.calls == 1
    assert len(sb.requests) == before


def test_never_more_than_three_calls_at_a_time_is_the_gates_business(sb):
    """The client enters the gate with the endpoint that Autotask counts by."""
    seen: list[str] = []

    class Gate:
        def __init__(self, endpoint: str) -> None:
            seen.append(endpoint)

        def __enter__(self) -> None: ...

        def __exit__(self, *exc_info: object) -> None: ...

    with opened(sb, gate=Gate) as client:
        key = an_open_invoice(sb)
        client.get("Invoices", key)
        client.invoice_pdf(key)
        client.count("BillingItems", everything())
        client.threshold()
    assert seen == ["Invoices", "Invoices", "BillingItems", "ThresholdInformation"]
