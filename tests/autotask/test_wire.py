"""Numbers pass the JSON in both directions without losing a digit; odd ones spoil a row, not a page (F20)."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask.wire import BadJson, TooDeep, dumps, loads, with_offset

finite = st.decimals(allow_nan=False, allow_infinity=False)


@given(finite)
def test_a_decimal_goes_out_and_comes_in_exactly(amount):
    written = dumps({"x": amount})
    assert b"E" not in written
    assert Decimal(loads(written)["x"]) == amount


@given(st.text(alphabet="0123456789", min_size=1, max_size=30).map(lambda digits: digits.lstrip("0") or "0"))
def test_four_decimals_are_read_as_written(digits):
    assert str(loads(f"[{digits}.5025]".encode())[0]) == f"{digits}.5025"


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("1e400", Decimal("1e400")),
        ("-0", 0),
        ("-0.0", Decimal("-0.0")),
        ("1E-05", Decimal("0.00001")),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("9" * 5000, "9" * 5000),
        ("1." + "9" * 5000, Decimal("1." + "9" * 5000)),
        ("1e" + "9" * 30, "1e" + "9" * 30),
        ("9223372036854775808", 9223372036854775808),
    ],
)
def test_an_odd_number_leaves_the_rest_of_the_page_readable(literal, value):
    assert loads(f'[{{"id":1,"x":{literal}}},{{"id":2,"x":1.5}}]'.encode()) == [
        {"id": 1, "x": value},
        {"id": 2, "x": Decimal("1.5")},
    ]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000])
def test_a_deep_answer_is_refused(body):
    with pytest.raises(TooDeep):
        loads(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_bad_json(body):
    try:
        loads(body)
    except BadJson:
        pass


def test_days_are_sent_as_midnight_of_utc_and_instants_in_utc():
    noon = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=14)))
    assert dumps([date(2026, 11, 22), noon, datetime(2026, 1, 2, tzinfo=UTC)]) == (
        b'["2026-11-22T00:00:00Z","2026-11-21T22:00:00.123Z","2026-01-02T00:00:00.000Z"]'
    )


def test_plain_values_are_sent_as_they_are():
    assert dumps({"a": None, "b": [True, False, 7, "é\n"], "c": ()}) == (
        b'{"a":null,"b":[true,false,7,"\\u00e9\\n"],"c":[]}'
    )


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        Decimal("NaN"),
        Decimal("Infinity"),
        datetime.fromisoformat("2026-01-02T00:00:00"),
        b"x",
        {1},
        object(),
    ],
)
def test_what_could_be_misread_is_not_sent(value):
    with pytest.raises((TypeError, ValueError)):
        dumps({"x": value})


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("2026-11-20T08:00:00", "2026-11-20T08:00:00Z"),
        ("2026-11-20T08:00:00.5", "2026-11-20T08:00:00.5Z"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ("2026-11-20T08:00:00+02:00", "2026-11-20T08:00:00+02:00"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_a_moment_without_an_offset_goes_back_as_utc(sent, back):
    assert with_offset(sent) == back
