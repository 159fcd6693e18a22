"""Where lines and total differ, the page says why."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal.models import Invoice, InvoiceLine
from portal.queries.line_sums import in_words

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def line(price: str, tax: str = "0", **more: Any) -> InvoiceLine:
    return InvoiceLine(price_raw=Decimal(price), tax_raw=Decimal(tax), **more)


def invoice(due: str, tax: str = "0", **more: Any) -> Invoice:
    return Invoice(
        amount_due=Decimal(due), total_raw=Decimal(due), tax_raw=Decimal(tax), currency="USD", **more
    )


@pytest.mark.parametrize(
    ("made", "lines", "words"),
    [
        (invoice("30.00"), [line("10.00"), line("20.00")], ""),
        (invoice("33.00", "3.00"), [line("30.00")], ""),
        (invoice("10.00"), [line("10.00"), line("5.00", non_billable=True)], ""),
        (invoice("10.00"), [], ""),
        (
            invoice("0.01"),
            [line("0.0050"), line("0.0050")],
            "the exact sum is 0.01, so 0.01 is rounding and nothing is missing.",
        ),
        (invoice("90.00", locally_changed_at=NOW), [line("100.00")], "the amount due was changed here."),
        (invoice("90.00"), [line("100.00")], "Autotask's own total of this invoice is 90.00"),
    ],
)
def test_the_difference_is_explained(made: Invoice, lines: list[InvoiceLine], words: str) -> None:
    said = in_words(made, lines)
    assert (words in said) if words else said == ""
