"""Autotask's rows in our words: exact money, unshifted days, clean text, and a bad row named for a person."""

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask import records, wire
from portal.autotask.errors import BadRecord

COMPANY = {
    "id": 7,
    "companyName": "Acme",
    "companyNumber": "A-1",
    "isActive": True,
    "companyType": 1,
    "classification": 2,
    "territoryID": 3,
    "marketSegmentID": 4,
    "currencyID": 1,
    "phone": "555",
    "address1": "1 Road",
    "address2": "",
    "city": "Town",
    "state": "NY",
    "postalCode": "10001",
    "isTaxExempt": False,
    "lastTrackedModifiedDateTime": "2025-09-05T09:47:15.227Z",
}
CONTACT = {
    "id": 8,
    "companyID": 7,
    "firstName": "Ann",
    "lastName": "Lee",
    "emailAddress": "ann@acme.example",
    "isActive": 1,
    "billingContact": True,
    "primaryContact": False,
    "userDefinedFields": [{"name": "Invoices", "value": "yes"}, {"name": "Other", "value": None}],
    "lastModifiedDate": "2025-09-05T09:47:15",
}
INVOICE = {
    "id": 9,
    "invoiceNumber": "INV-9",
    "companyID": 7,
    "invoiceDateTime": "2025-09-05T00:00:00Z",
    "dueDate": "2025-10-05T00:00:00Z",
    "invoiceTotal": Decimal("52.7775"),
    "totalTaxValue": Decimal("11.0833"),
    "paidDate": None,
    "isVoided": False,
    "voidedDate": None,
    "createDateTime": "2025-09-05T09:47:15.227Z",
    "fromDate": None,
    "toDate": None,
    "orderNumber": "",
    "comments": "Thanks\r\nfor all",
    "taxRegionName": "VAT",
    "paymentTerm": 1,
}
LINE = {
    "id": 10,
    "invoiceID": 9,
    "companyID": 7,
    "itemName": "Server",
    "description": "Big",
    "quantity": Decimal("1.5000"),
    "rate": Decimal("100"),
    "extendedPrice": Decimal("150.0000"),
    "taxDollars": Decimal("31.5"),
    "totalAmount": Decimal("181.5"),
    "itemDate": "2025-09-01T00:00:00",
    "postedDate": "2025-09-02T00:00:00Z",
    "billingItemType": 4,
    "sortOrderID": 1,
    "nonBillable": 0,
}
CURRENCY = {"id": 1, "name": "usd", "description": "US Dollar", "isActive": True, "isInternalCurrency": True}
READERS: list[tuple[Callable[[Any], dict[str, Any]], dict[str, Any]]] = [
    (records.company, COMPANY),
    (records.contact, CONTACT),
    (records.invoice, INVOICE),
    (records.line, LINE),
    (records.currency, CURRENCY),
]


def invoice(**changes: Any) -> dict[str, Any]:
    return records.invoice({**INVOICE, **changes})


def refused(read: Callable[[Any], dict[str, Any]], row: dict[str, Any]) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(row)
    return caught.value


def test_a_company_in_our_words():
    assert records.company(COMPANY) == {
        "autotask_id": 7,
        "name": "Acme",
        "number": "A-1",
        "active": True,
        "company_type": 1,
        "classification": 2,
        "territory_id": 3,
        "market_segment_id": 4,
        "currency_autotask_id": 1,
        "phone": "555",
        "email": None,
        "address1": "1 Road",
        "address2": "",
        "city": "Town",
        "state": "NY",
        "postal_code": "10001",
        "tax_exempt": False,
        "modified_at": datetime(2025, 9, 5, 9, 47, 15, 227000, tzinfo=UTC),
        "flags": [],
    }


def test_a_contact_in_our_words():
    assert records.contact(CONTACT) == {
        "autotask_id": 8,
        "company_autotask_id": 7,
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "ann@acme.example",
        "active": True,
        "billing": True,
        "primary": False,
        "user_defined": {"Invoices": "yes"},
        "modified_at": datetime(2025, 9, 5, 9, 47, 15, tzinfo=UTC),
        "flags": [],
    }


def test_an_invoice_in_our_words():
    assert invoice() == {
        "autotask_id": 9,
        "number_raw": "INV-9",
        "company_autotask_id": 7,
        "issued_on": date(2025, 9, 5),
        "due_on": date(2025, 10, 5),
        "total_raw": Decimal("52.7775"),
        "tax_raw": Decimal("11.0833"),
        "paid_on": None,
        "is_voided": False,
        "voided_on": None,
        "created_at": datetime(2025, 9, 5, 9, 47, 15, 227000, tzinfo=UTC),
        "from_on": None,
        "to_on": None,
        "order_number": "",
        "comments": "Thanks\nfor all",
        "tax_region": "VAT",
        "payment_term": 1,
        "flags": [],
    }


def test_a_line_in_our_words():
    assert records.line(LINE) == {
        "autotask_id": 10,
        "invoice_autotask_id": 9,
        "company_autotask_id": 7,
        "name": "Server",
        "description": "Big",
        "quantity": Decimal("1.5"),
        "rate": Decimal("100"),
        "price_raw": Decimal("150"),
        "tax_raw": Decimal("31.5"),
        "total_raw": Decimal("181.5"),
        "item_on": date(2025, 9, 1),
        "posted_on": date(2025, 9, 2),
        "item_type": 4,
        "sort_order": 1,
        "non_billable": False,
        "flags": [],
    }


def test_a_currency_in_our_words():
    assert records.currency(CURRENCY) == {
        "autotask_id": 1,
        "code": "USD",
        "description": "US Dollar",
        "active": True,
        "internal": True,
        "flags": [],
    }


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (records.COMPANY_FIELDS, COMPANY),
        (records.CONTACT_FIELDS, CONTACT),
        (records.INVOICE_FIELDS, INVOICE),
        (records.LINE_FIELDS, LINE),
    ],
)
def test_the_fields_asked_for_are_the_fields_used(fields, row):
    assert sorted(fields) == sorted(row)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (Decimal("52.7775"), "52.7775"),
        (Decimal("0.123456"), "0.123456"),
        (Decimal("1E-05"), "0.00001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.0"), "0"),
        (Decimal("-10.5"), "-10.5"),
        (0, "0"),
        (100, "100"),
        ("100.2500", "100.25"),
        ("-3", "-3"),
        (Decimal("99999999998.999999"), "99999999998.999999"),
    ],
)
def test_money_is_kept_as_sent(value, amount):
    record = invoice(invoiceTotal=value)
    assert record["total_raw"] == Decimal(amount)
    assert str(record["total_raw"]) != "-0.0"
    assert record["flags"] == []


BAD_MONEY = [
    "12,50",
    "1.000,00",
    "1e3",
    "NaN",
    "Infinity",
    "",
    " 5",
    "１２",
    "9" * 5000,
    None,
    True,
    False,
    1.5,
    [1],
    {"value": 1},
    Decimal("1e400"),
    Decimal("NaN"),
    Decimal("-Infinity"),
    Decimal("1e11"),
    Decimal("99999999999.01"),
    10**11,
    10**40,
    Decimal("0.1234567"),
    Decimal("1." + "9" * 5000),
]


@pytest.mark.parametrize("value", BAD_MONEY)
def test_money_that_is_not_certain_spoils_the_row(value):
    error = refused(records.invoice, {**INVOICE, "invoiceTotal": value})
    assert (error.entity, error.autotask_id, error.field) == ("Invoices", 9, "invoiceTotal")
    assert error.reason
    assert len(error.value) <= 200
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    "literal", ["NaN", "1e400", "-Infinity", "9" * 5000, "1e" + "9" * 30, '"12,50"', "null"]
)
def test_money_that_is_odd_on_the_wire_spoils_only_its_row(literal):
    rows = [json.dumps({**INVOICE, "invoiceTotal": "X", "totalTaxValue": 1})] * 2
    page = f"[{rows[0]},{rows[1]}]".replace('"X"', literal, 1).replace('"X"', "5.25")
    rows = wire.loads(page.encode())
    refused(records.invoice, rows[0])
    assert records.invoice(rows[1])["total_raw"] == Decimal("5.25")


def test_the_noise_of_a_double_is_taken_off_and_noted():
    record = invoice(invoiceTotal=Decimal("1234.5600000000001"))
    assert record["total_raw"] == Decimal("1234.56")
    assert record["flags"] == ["invoiceTotal came with the noise of a double"]


@pytest.mark.parametrize(
    "field", ["invoiceTotal", "totalTaxValue", "isVoided", "invoiceDateTime", "companyID", "id"]
)
def test_an_invoice_without_what_decides_about_money_is_refused(field):
    assert refused(records.invoice, {k: v for k, v in INVOICE.items() if k != field}).field == field


def test_no_tax_is_zero_only_where_no_tax_region_is_named():
    record = invoice(totalTaxValue=None, taxRegionName=None)
    assert (record["tax_raw"], record["flags"]) == (0, ["totalTaxValue is not given"])
    assert refused(records.invoice, {**INVOICE, "totalTaxValue": None}).field == "totalTaxValue"


def test_a_quantity_with_many_decimals_is_shortened_and_noted():
    record = records.line({**LINE, "quantity": Decimal("0.33333333333"), "rate": None})
    assert (record["quantity"], record["rate"]) == (Decimal("0.333333"), 0)
    assert record["flags"] == ["quantity has more than six decimals", "rate is not given"]


@pytest.mark.parametrize("value", [0, None, "0"])
def test_a_line_that_is_not_invoiced_has_no_invoice(value):
    assert records.line({**LINE, "invoiceID": value})["invoice_autotask_id"] is None


@pytest.mark.parametrize("value", [17, "17", "0017"])
def test_digits_are_an_id(value):
    assert invoice(id=value)["autotask_id"] == 17


@pytest.mark.parametrize(
    "value", [-1, 2**63, "2" * 19 + "9", "x", "", "-5", "1.0", "１７", None, True, 1.0, [], {}]
)
def test_what_is_no_id_spoils_the_row_and_names_none(value):
    error = refused(records.invoice, {**INVOICE, "id": value})
    assert (error.field, error.autotask_id) == ("id", None)
    assert "without ID" in str(error)


@pytest.mark.parametrize("item", [None, 7, "x", [], True])
def test_what_is_no_row_is_refused(item):
    for read, _ in READERS:
        with pytest.raises(BadRecord):
            read(item)


@pytest.mark.parametrize(
    "value",
    [
        "2025-10-05",
        "2025-10-05T00:00:00",
        "2025-10-05T00:00:00Z",
        "2025-10-05T23:59:59.997",
        "2025-10-05T23:59:59.9999999Z",
        "2025-10-05T23:00:00-12:00",
        "2025-10-05T00:00:00+14:00",
        "2025-10-05T24:00:00",
        "2025-10-05 10:00:00",
    ],
)
def test_a_day_is_never_shifted_by_a_zone_or_a_time(value):
    """Rule 4.4."""
    record = invoice(dueDate=value, paidDate=value, invoiceDateTime=value)
    assert record["due_on"] == record["paid_on"] == record["issued_on"] == date(2025, 10, 5)


BAD_DAYS = [
    "2026-02-30",
    "20250-01-01",
    "2025-10-055",
    "2025-10-05x",
    "soon",
    "2025-13-01",
    "20251005",
    "2025-W40-7",
    "5.10.2025",
    "２025-10-05",
]
FAR_DAYS = ["0001-01-01T00:00:00", "1989-12-31", "2101-01-01", "9999-12-31T23:59:59.9999999"]


@pytest.mark.parametrize("value", [*BAD_DAYS, *FAR_DAYS, 5, True, ["2025-10-05"], {"a": 1}])
def test_a_due_date_that_is_none_is_left_out_and_noted(value):
    record = invoice(dueDate=value)
    assert record["due_on"] is None
    assert record["flags"] == ["dueDate is not a usable date"]


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_day_is_none_and_nothing_to_note(value):
    record = invoice(dueDate=value, paidDate=value)
    assert (record["due_on"], record["paid_on"], record["flags"]) == (None, None, [])


@pytest.mark.parametrize("value", [*BAD_DAYS, 5, True, ["2025-10-05"]])
def test_a_paid_date_that_cannot_be_read_is_not_taken_for_unpaid(value):
    assert refused(records.invoice, {**INVOICE, "paidDate": value}).field == "paidDate"


@pytest.mark.parametrize("value", FAR_DAYS)
def test_a_paid_date_out_of_all_bounds_is_left_out_and_noted(value):
    record = invoice(paidDate=value)
    assert (record["paid_on"], record["flags"]) == (None, ["paidDate is not a usable date"])


@pytest.mark.parametrize("value", [*BAD_DAYS, *FAR_DAYS, None, "", 5])
def test_an_invoice_without_its_date_is_refused(value):
    assert refused(records.invoice, {**INVOICE, "invoiceDateTime": value}).field == "invoiceDateTime"


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2025-09-05T09:47:15", datetime(2025, 9, 5, 9, 47, 15, tzinfo=UTC)),
        ("2025-09-05T09:47:15Z", datetime(2025, 9, 5, 9, 47, 15, tzinfo=UTC)),
        ("2025-09-05T09:47:15.2Z", datetime(2025, 9, 5, 9, 47, 15, 200000, tzinfo=UTC)),
        ("2025-09-05T09:47:15.2271234Z", datetime(2025, 9, 5, 9, 47, 15, 227123, tzinfo=UTC)),
        ("2025-09-05T09:47:15+14:00", datetime(2025, 9, 4, 19, 47, 15, tzinfo=UTC)),
        ("2025-09-05", datetime(2025, 9, 5, tzinfo=UTC)),
    ],
)
def test_an_instant_is_in_utc(value, instant):
    record = invoice(createDateTime=value)
    assert (record["created_at"], record["flags"]) == (instant, [])
    assert record["created_at"].tzinfo is UTC


@pytest.mark.parametrize("value", ["2025-09-05T24:00:00", *BAD_DAYS, *FAR_DAYS, 5, ["x"], {"a": 1}])
def test_an_instant_that_is_none_is_left_out_and_noted(value):
    record = invoice(createDateTime=value)
    assert (record["created_at"], record["flags"]) == (None, ["createDateTime is not a usable time"])


@pytest.mark.parametrize("changes", [{"isVoided": True}, {"isVoided": 1}, {"isVoided": "true"}])
def test_a_voided_invoice_is_voided_however_it_is_sent(changes):
    assert invoice(**changes)["is_voided"] is True


def test_an_invoice_with_a_voided_date_is_voided_whatever_the_mark_says():
    assert invoice(isVoided=None, voidedDate="2025-10-01")["is_voided"] is True
    assert invoice(isVoided=False, voidedDate="2025-10-01")["is_voided"] is True


def test_an_empty_voided_mark_without_a_date_is_not_voided_and_noted():
    record = invoice(isVoided=None)
    assert (record["is_voided"], record["flags"]) == (False, ["isVoided is not given"])


@pytest.mark.parametrize("value", ["maybe", 2, [], {}, ""])
def test_a_voided_mark_that_makes_no_sense_spoils_the_row(value):
    assert refused(records.invoice, {**INVOICE, "isVoided": value}).field == "isVoided"


@pytest.mark.parametrize(
    ("value", "active"), [(True, True), (False, False), (1, True), (0, False), ("1", True)]
)
def test_active_is_a_number_or_a_boolean(value, active):
    assert records.contact({**CONTACT, "isActive": value})["active"] is active
    assert records.company({**COMPANY, "isActive": value})["active"] is active


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("  Acme  ", "Acme"),
        ("A\x00c\x1fme\x7f", "Acme"),
        ("A\u202ecme\u2066\u200f", "Acme"),
        ("\ufeffAcme", "Acme"),
        ("Ac\ud800me", "Acme"),
        ("Ac\r\nme", "Ac me"),
        ("Ac\tme", "Ac me"),
        ("Ac\u2028me", "Ac me"),
        ("Café 株式会社 👩‍💻", "Café 株式会社 👩‍💻"),
        ("Ac\u00a0me", "Ac\u00a0me"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("<img onerror=x>", "<img onerror=x>"),
        (12345, "12345"),
    ],
)
def test_names_lose_what_is_invisible_and_nothing_else(value, name):
    assert records.company({**COMPANY, "companyName": value})["name"] == name


def test_a_comment_keeps_its_lines_and_tabs():
    assert invoice(comments="a\r\n\r\n\tb\rc\u2028d\x00 ")["comments"] == "a\n\n\tb\nc\nd"


def test_a_name_of_5_mb_is_cut_and_noted():
    record = records.company({**COMPANY, "companyName": "x" * 5_000_000})
    assert (record["name"], record["flags"]) == ("x" * 100, ["companyName is longer than 100 characters"])


@pytest.mark.parametrize("value", [None, "", "  ", "\x00", "\u202e", [], {"a": 1}, True])
def test_a_company_without_a_name_is_refused(value):
    assert refused(records.company, {**COMPANY, "companyName": value}).field == "companyName"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_number_is_none(value):
    """Rule 1.5: Autotask numbers can be empty."""
    assert invoice(invoiceNumber=value)["number_raw"] is None


def test_the_partners_own_company_has_the_id_0():
    assert records.company({**COMPANY, "id": 0})["autotask_id"] == 0
    assert invoice(companyID=0)["company_autotask_id"] == 0


@pytest.mark.parametrize("value", ["x", [], 1.5, Decimal("1.5"), True, 2**63])
def test_a_choice_that_is_no_number_is_left_out_and_noted(value):
    record = records.company({**COMPANY, "companyType": value})
    assert (record["company_type"], record["flags"]) == (None, ["companyType is not a whole number"])


@pytest.mark.parametrize("value", [None, [], "x", [None, 7, {"name": None}, {"value": "x"}]])
def test_odd_user_defined_fields_do_not_spoil_a_contact(value):
    assert records.contact({**CONTACT, "userDefinedFields": value})["user_defined"] == {}


def test_fields_that_nobody_knows_are_ignored():
    assert invoice(newThing={"deep": [1]}, id_=5) == invoice()


def test_a_bad_record_says_what_is_wrong_in_one_line():
    error = refused(records.invoice, {**INVOICE, "invoiceTotal": "12,50"})
    assert str(error) == "Invoices 9: invoiceTotal is not a number ('12,50')"


odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=30),
    st.decimals(),
    st.floats(),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(st.sampled_from(READERS), st.data())
def test_any_drift_gives_a_record_or_a_bad_record(reader, data):
    """P20: dropped, renamed, emptied and retyped fields never crash a read, and no NUL gets through."""
    read, row = reader
    changed = dict(row)
    for key in data.draw(st.lists(st.sampled_from(sorted(row)), max_size=4)):
        changed[key] = data.draw(odd_values)
    try:
        record = read(changed)
    except BadRecord:
        return
    assert record["autotask_id"] >= 0
    texts = [value for value in record.values() if isinstance(value, str)]
    assert not any("\x00" in text or any(0xD800 <= ord(c) < 0xE000 for c in text) for text in texts)


MONEY = ["invoiceTotal", "totalTaxValue"]


def test_2000_mutations_never_give_a_wrong_total():
    """P20."""
    choose = random.Random(20)
    right = {key: INVOICE[key] for key in MONEY}
    mutations: list[Callable[[dict[str, Any], str], None]] = [
        lambda row, key: row.pop(key, None) and None,
        lambda row, key: row.update({key + "X": row.pop(key, None)}),
        lambda row, key: row.update({key: None}),
        lambda row, key: row.update({key: choose.choice(BAD_MONEY)}),
        lambda row, key: row.update({key: {"value": row.get(key)}}),
    ]
    seen = 0
    for _ in range(2000):
        row = dict(INVOICE)
        choose.choice(mutations)(row, choose.choice(list(INVOICE)))
        try:
            record = records.invoice(row)
        except BadRecord:
            continue
        seen += 1
        assert (record["total_raw"], record["tax_raw"]) == (right["invoiceTotal"], right["totalTaxValue"])
    assert seen > 500
