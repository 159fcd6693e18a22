from datetime import date
from decimal import Decimal

import pytest

from portal.web.csv_cells import csv_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_never_runs_as_a_formula_in_a_spreadsheet(start: str) -> None:
    assert csv_text(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize(
    "text",
    [
        " =1+1",
        "\N{FULLWIDTH EQUALS SIGN}1+1",
        "\N{ZERO WIDTH NO-BREAK SPACE}=1+1",
        "\u200b\u200e=1+1",
        "\x0b\u2028=1+1",
    ],
)
def test_text_that_a_spreadsheet_trims_to_a_formula_is_neutralised_too(text: str) -> None:
    assert csv_text(text) == f"'{text}"


def test_amounts_and_dates_stay_what_they_are_in_csv() -> None:
    assert csv_text(Decimal("-12.50")) == "-12.50"
    assert csv_text(date(2026, 11, 19)) == "2026-11-19"
    assert csv_text("Adatum, Inc.") == "Adatum, Inc."
    assert csv_text(None) == ""
