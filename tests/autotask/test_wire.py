"""Numbers pass the JSON in both directions without losing a digit; odd ones spoil a row, not a page (F20)."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask.wire import BadJson, TooDeep, _slowly, dumps, loads, with_offset

finite = st.decimals(allow_nan=False, allow_infinity=False)


@given(finite)
def test_a_decimal_goes_out_and_comes_in_exactly(amount):
    written = dumps({"x": amount})
    assert b"E" not in written
    assert Decimal(loads(written)["x"]) == amount


@given(st.text(alphabet="0123456789", min_size=1, max_size=30).map(lambda digits: digits.lstrip("0") or "0"))
def test_four_decimals_are_read_as_written(digits):
    assert str(loads(f"[{digits}.5025]".encode())[0]) == f"{digits}.5025"


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
JSON = st.recursive(
    NUMBERS | st.sampled_from(["true", "false", "null", "NaN"]) | st.text(max_size=8).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(st.tuples(st.text(max_size=3).map(json.dumps), inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)


def read_by(reader: Callable[[bytes], Any], body: bytes) -> str:
    """What it makes of a body, its types and the digits of its decimals included."""
    try:
        return repr(reader(body))
    except BadJson as error:
        return type(error).__name__


@given(JSON)
def test_the_fast_reader_and_the_standard_librarys_say_the_same(text):
    body = text.encode("utf-8", "surrogatepass")
    assert read_by(loads, body) == read_by(_slowly, body)


@given(JSON, st.integers(0, 60), st.binary(max_size=3))
def test_they_say_the_same_of_damaged_answers(text, at, damage):
    body = text.encode("utf-8", "surrogatepass")
    body = body[:at] + damage + body[at + len(damage) :]
    assert read_by(loads, body) == read_by(_slowly, body)


@given(NUMBERS)
def test_no_number_passes_through_a_float(digits):
    read = loads(f"[{digits}]".encode())[0]
    assert type(read) in (int, Decimal)
    assert Decimal(read) == Decimal(digits)


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
