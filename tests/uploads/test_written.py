"""Cells and files as other programs write them."""

import io
from datetime import date

import pytest

from portal import csv_in
from portal.money import AmountError
from portal.payments.written_days import Order
from portal.uploads import written


@pytest.mark.parametrize(
    ("cell", "numbers", "value"),
    [
        ("1234.5", "comma_point", "1234.5"), ("1,234.50", "comma_point", "1234.50"), ("$1,234.50", "comma_point", "1234.50"),
        ("($34.50)", "comma_point", "-34.50"), ("$(34.50)", "comma_point", "-34.50"), ("-$34.50", "comma_point", "-34.50"),
        ("34.50-", "comma_point", "-34.50"), ("\u221234.50", "comma_point", "-34.50"), ("USD 12", "comma_point", "12"),
        ("12 USD", "comma_point", "12"), ("1'234.50", "comma_point", "1234.50"), (".5", "comma_point", "0.5"),
        ("1.234,50 €", "point_comma", "1234.50"), ("€ -1.234,50", "point_comma", "-1234.50"), ("7,5", "point_comma", "7.5"),
        ("1 234,50", "space_comma", "1234.50"), ("1\u202f234,50\u00a0kr", "space_comma", "1234.50"), ("+5", "comma_point", "5"),
        ("CHF 1’234.00", "comma_point", "1234.00"), ("0.1234567", "comma_point", None), ("1.234,50", "comma_point", None),
        ("1,23", "comma_point", None), ("1.5", "point_comma", None), ("=1+1", "comma_point", None), ("abc", "comma_point", None),
        ("1e5", "comma_point", None), ("NaN", "comma_point", None), ("--5", "comma_point", None), ("٣", "comma_point", None),
        ("9" * 41, "comma_point", None), ("999999999999", "comma_point", None), ("", "comma_point", None),
    ],
)  # fmt: skip
def test_an_amount_is_read_as_it_is_written_or_not_at_all(cell: str, numbers: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(AmountError):
            written.amount(cell, numbers)
    else:
        assert format(written.amount(cell, numbers), "f") == value


@pytest.mark.parametrize(
    ("cell", "order", "day"),
    [
        ("2026-11-05 00:00:00", Order.DAY_FIRST, date(2026, 11, 5)),
        ("2026-11-05T00:00:00Z", Order.DAY_FIRST, date(2026, 11, 5)),
        ("11/5/2026 12:00:00 AM", Order.MONTH_FIRST, date(2026, 11, 5)),
        ("5.11.2026", Order.DAY_FIRST, date(2026, 11, 5)),
        ("2026-11-05 23:30", Order.DAY_FIRST, None),
    ],
)
def test_a_day_may_have_a_midnight_and_no_other_time(cell: str, order: Order, day: date | None) -> None:
    assert written.day(cell, order) == day


WORDS = "Name;Straße\r\nZürich GmbH;1\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_file_is_read_in_the_encoding_it_has(encoding: str) -> None:
    file = io.BytesIO(WORDS.encode(encoding))
    assert list(csv_in.rows_of(file)) == [["Name", "Straße"], ["Zürich GmbH", "1"]]
    assert csv_in.text_of(WORDS.encode(encoding)) == WORDS
    assert not csv_in.ends_in_a_row(file)


@pytest.mark.parametrize(
    ("words", "cells"),
    [
        ("a,b;c\n1;2\n", ["1", "2"]), ("sep=;\na;b\n", ["a", "b"]), ("a\tb\tc,d\n", ["a", "b", "c,d"]),
        ('"a;b";"c"\n', ["a;b", "c"]), ("Title\n\nx;y;z\n1,5;2;3\n", ["1,5", "2", "3"]),
    ],
)  # fmt: skip
def test_what_parts_the_cells_is_found(words: str, cells: list[str]) -> None:
    assert list(csv_in.rows(words))[-1] == cells


def test_a_cell_that_is_too_long_is_not_told_as_a_quotation_mark_out_of_place() -> None:
    with pytest.raises(csv_in.UnreadableFile, match="A cell of the file is longer than 131,072 characters"):
        list(csv_in.rows(f"Name\n{'a' * 131_073}\n"))
