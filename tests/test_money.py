"""Money is exact, is rounded half up in one place, and is read strictly from what people type (rule 4.1)."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import (
    NUMBER_FORMATS,
    AmountError,
    is_currency,
    minor_units,
    parse_amount,
    plain,
    rounded,
    shortened,
    storable,
    without_noise,
)

CURRENCIES = ["USD", "EUR", "JPY", "KWD"]
MORE_CURRENCIES = [*CURRENCIES, "CLF"]  # which has four decimals
amounts = st.decimals("-99999999999", "99999999999", allow_nan=False, places=6)


@pytest.mark.parametrize(("currency", "units"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("XYZ", 2)])
def test_each_currency_has_its_decimals(currency, units):
    assert minor_units(currency) == units


@pytest.mark.parametrize(
    ("amount", "currency", "result"),
    [
        ("52.7775", "USD", "52.78"),
        ("0.005", "USD", "0.01"),
        ("33.335", "USD", "33.34"),
        ("33.3349", "USD", "33.33"),
        ("-0.005", "USD", "-0.01"),
        ("-0.0049", "USD", "0.00"),
        ("0.5", "JPY", "1"),
        ("1.0005", "KWD", "1.001"),
        ("-0.0", "USD", "0.00"),
        ("1E+3", "USD", "1000.00"),
        ("99999999999.994999", "USD", "99999999999.99"),
    ],
)
def test_rounding_is_half_up_and_never_gives_minus_zero(amount, currency, result):
    assert plain(Decimal(amount), currency) == result
    assert str(rounded(Decimal(amount), currency)) == result


@given(amounts, st.sampled_from(CURRENCIES))
def test_rounding_moves_by_half_a_unit_at_most_and_twice_is_once(amount, currency):
    once = rounded(amount, currency)
    assert abs(once - amount) <= Decimal("0.5").scaleb(-minor_units(currency))
    assert rounded(once, currency) == once
    assert "-0" not in plain(amount, currency) or once < 0


@given(amounts, st.sampled_from(CURRENCIES))
def test_what_is_written_can_be_typed_again(amount, currency):
    written = plain(amount, currency)
    assert parse_amount(written, currency) == rounded(amount, currency)
    if minor_units(currency):
        assert parse_amount(f"{Decimal(written):,}", currency) == rounded(amount, currency)


@given(amounts, st.sampled_from(MORE_CURRENCIES), st.sampled_from(sorted(NUMBER_FORMATS)))
def test_what_a_partner_is_shown_can_be_typed_back(amount, currency, chosen):
    style, digits = NUMBER_FORMATS[chosen], plain(amount, currency)
    for shown in (style.grouped(digits), style.typed(digits)):
        assert parse_amount(shown, currency, style) == rounded(amount, currency)


@given(st.from_regex(r"-?[0-9]{1,4}([., ][0-9]{1,4}){0,3}", fullmatch=True), st.sampled_from(MORE_CURRENCIES))
def test_no_text_means_two_amounts_in_two_number_formats(text, currency):
    """Who types in the format that a partner had before is refused, or means the same."""
    read = set()
    for style in NUMBER_FORMATS.values():
        with suppress(AmountError):
            read.add(parse_amount(text, currency, style))
    assert len(read) <= 1


@pytest.mark.parametrize(
    ("chosen", "text", "amount"),
    [
        ("point_comma", "1.234,50", "1234.50"),
        ("point_comma", "1234,5", "1234.50"),
        ("point_comma", "1.234", "1234.00"),
        ("space_comma", "1 234,50", "1234.50"),
        ("space_comma", "1\u00a0234,50", "1234.50"),
        ("space_comma", "-1\u202f234 567,00", "-1234567.00"),
    ],
)
def test_amounts_are_read_as_the_partner_writes_them(chosen, text, amount):
    assert str(parse_amount(text, "USD", NUMBER_FORMATS[chosen])) == amount


@pytest.mark.parametrize(
    ("chosen", "text", "currency", "sentence"),
    [
        ("point_comma", "1,234.50", "USD", "in digits, like 1234,50."),
        ("point_comma", "12.50", "USD", "in digits, like 1234,50."),
        (
            "point_comma",
            "1,234",
            "USD",
            "USD amounts have at most 2 decimals. Write the amount like 1234,50.",
        ),
        ("point_comma", "1.234", "KWD", "Write the amount without the point, like 1234,500."),
        ("point_comma", "100000000000", "USD", "at most 99.999.999.999."),
        ("space_comma", "1.234,50", "USD", "in digits, like 1234,50."),
        ("space_comma", "1234.50", "USD", "in digits, like 1234,50."),
        ("space_comma", "1 234", "KWD", "Write the amount without the space, like 1234,500."),
        ("space_comma", "12 34", "USD", "in digits"),
    ],
)
def test_another_way_of_writing_is_refused_and_never_guessed(chosen, text, currency, sentence):
    with pytest.raises(AmountError) as caught:
        parse_amount(text, currency, NUMBER_FORMATS[chosen])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("1234.50", "USD", "1234.50"),
        ("1,234.50", "USD", "1234.50"),
        (" 1234.5 ", "USD", "1234.50"),
        ("1,234,567", "USD", "1234567.00"),
        ("007", "USD", "7.00"),
        ("0", "USD", "0.00"),
        ("-12.30", "USD", "-12.30"),
        ("1234", "JPY", "1234"),
        ("1.234", "KWD", "1.234"),
        ("1,234.000", "KWD", "1234.000"),
        ("99999999999.00", "USD", "99999999999.00"),
        ("99,999,999,998.99", "USD", "99999999998.99"),
    ],
)
def test_amounts_are_read_as_typed(text, currency, amount):
    assert str(parse_amount(text, currency)) == amount


@pytest.mark.parametrize(
    ("text", "currency", "sentence"),
    [
        ("", "USD", "Enter an amount."),
        ("   ", "USD", "Enter an amount."),
        ("abc", "USD", "Write the amount in digits, like 1234.50."),
        ("NaN", "USD", "in digits"),
        ("sNaN", "USD", "in digits"),
        ("inf", "USD", "in digits"),
        ("-Infinity", "USD", "in digits"),
        ("1e3", "USD", "in digits"),
        ("1E400", "USD", "in digits"),
        ("１２", "USD", "in digits"),
        ("١٢", "USD", "in digits"),
        ("1_000", "USD", "in digits"),
        ("1.000,00", "USD", "in digits"),
        ("12,50", "USD", "in digits"),
        ("1,2345", "USD", "in digits"),
        ("12,34,567", "USD", "in digits"),
        ("1 234.50", "USD", "in digits"),
        ("1\u00a0234", "USD", "in digits"),
        ("$12", "USD", "in digits"),
        ("+5", "USD", "in digits"),
        ("--5", "USD", "in digits"),
        ("5.", "USD", "in digits"),
        (".5", "USD", "in digits"),
        ("0x10", "USD", "in digits"),
        ("1234\n.5", "USD", "in digits"),
        ("1.000", "USD", "USD amounts have at most 2 decimals. Write the amount like 1234.50."),
        ("1.234", "USD", "at most 2 decimals"),
        ("0.001", "USD", "at most 2 decimals"),
        ("1.5", "JPY", "JPY amounts have no decimals. Write the amount like 1234."),
        ("1,234", "KWD", "Write the amount without the comma, like 1234.500."),
        ("100000000000", "USD", "must be at most 99,999,999,999."),
        ("99,999,999,999.50", "USD", "must be at most 99,999,999,999."),
        ("-99,999,999,999.01", "USD", "must be at most"),
        ("1" * 41, "USD", "at most 40 characters"),
        ("1" * 1_000_000, "USD", "at most 40 characters"),
    ],
)
def test_what_could_be_misread_is_refused_in_plain_words(text, currency, sentence):
    with pytest.raises(AmountError) as caught:
        parse_amount(text, currency)
    assert sentence in str(caught.value)


@given(st.text(max_size=60), st.sampled_from(CURRENCIES))
def test_any_text_is_an_amount_or_an_amount_error(text, currency):
    try:
        amount = parse_amount(text, currency)
    except AmountError:
        return
    assert amount.is_finite()
    assert abs(amount) <= 99_999_999_999


@given(amounts)
def test_six_decimals_are_stored_as_they_are(amount):
    assert storable(amount) == amount


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "1E+11",
        "99999999999.000001",
        "-99999999999.5",
        "0.0000001",
        "1E+400",
        "9" * 5000,
        "1E-400",
    ],
)
def test_what_the_database_cannot_hold_exactly_is_refused(text):
    with pytest.raises(AmountError):
        storable(Decimal(text))


@given(st.decimals("-9999999999", "9999999999", allow_nan=False, places=4))
def test_the_noise_of_a_double_is_told_from_money(amount):
    """What a double does to four decimals is undone exactly; a real fifth decimal is not."""
    assert without_noise(Decimal(format(float(amount), ".17g"))) == (amount or None)
    if amount and abs(amount) < 10**8:
        assert without_noise(amount + Decimal("0.00001")) is None


@pytest.mark.parametrize(
    ("text", "short"),
    [("0.33333333333", "0.333333"), ("NaN", None), ("1E+11", None), ("99999999999.0000001", None)],
)
def test_long_quantities_are_shortened_to_what_is_stored(text, short):
    assert shortened(Decimal(text)) == (None if short is None else Decimal(short))


def test_currencies_are_those_of_somewhere_today():
    assert [code for code in ("USD", "EUR", "JPY", "DEM", "XYZ", "usd", "") if is_currency(code)] == [
        "USD",
        "EUR",
        "JPY",
    ]


LARGEST = "99999999999"


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_largest_amount_is_one_and_a_cent_more_is_not(sign):
    largest, more = Decimal(f"{sign}{LARGEST}"), Decimal(f"{sign}{LARGEST}.000001")
    assert (shortened(largest), shortened(more)) == (largest, None)
    assert storable(largest) == largest
    assert parse_amount(f"{sign}{LARGEST}", "USD") == largest
    with pytest.raises(AmountError):
        storable(more)
    with pytest.raises(AmountError, match="at most 99,999,999,999"):
        parse_amount(f"{sign}{LARGEST}.01", "USD")


def test_noise_is_told_up_to_the_largest_amount_and_to_twenty_digits():
    assert without_noise(Decimal("99999999999.0000")) == Decimal(LARGEST)
    assert without_noise(Decimal("100000000000")) is None
    assert without_noise(Decimal("1.2500000000000000001")) == Decimal("1.25")
    assert without_noise(Decimal("1.25000000000000000001")) is None, "no double has so many digits"
    assert without_noise(Decimal("1000.000000000001")) == 1000, "a step of 1e-15 is still noise"
    assert without_noise(Decimal("1000.000000000002")) is None


def test_an_amount_has_at_most_forty_characters():
    assert parse_amount(f"{'0' * 39}1", "USD") == 1
    with pytest.raises(AmountError, match="at most 40 characters"):
        parse_amount(f"{'0' * 40}1", "USD")


def test_thousands_stand_apart_below_zero_too():
    style = NUMBER_FORMATS["point_comma"]
    assert [style.grouped(one) for one in ("1234567.50", "-1234.50", "12", "-0.5")] == [
        "1.234.567,50", "-1.234,50", "12", "-0,5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "named"), [("comma_point", "comma"), ("point_comma", "point"), ("space_comma", "space")]
)
def test_who_is_asked_to_leave_a_sign_out_is_told_which(chosen, named):
    style = NUMBER_FORMATS[chosen]
    with pytest.raises(AmountError, match=f"without the {named}, like 1234{style.point}500"):
        parse_amount(f"1{style.group}234", "KWD", style)
