"""A statement as sheets of paper: read back from the PDF."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from pypdf import PdfReader

from portal.formatters import written_for
from portal.models import Tenant
from portal.paper import letters
from portal.paper.statement import Paper, pdf
from portal.queries.statement_period import Span
from portal.queries.statement_rows import Entry, Kind, Open, OpenSums, PeriodSums

FIRST, TODAY = date(2026, 1, 1), date(2026, 11, 30)


def entries(number: int, currency: str = "USD") -> list[Entry]:
    return [
        Entry(currency, FIRST + timedelta(days=place // 8), Kind.INVOICE, place, f"N-{place}", 1, None, "", "",
              Decimal("1000.50"), Decimal("1000.50") * (place + 1))
        for place in range(number)
    ]  # fmt: skip


def paper(rows: Sequence[Entry], **values: Any) -> Paper:
    moved = dict.fromkeys(Kind, Decimal(0)) | {Kind.INVOICE: sum((row.amount for row in rows), Decimal(0))}
    sums = [PeriodSums("USD", Decimal(0), moved, moved[Kind.INVOICE], len(rows))]
    usual = {
        "partner": "Northwind", "logo": None, "customer": "Fabrikam", "address": "", "number": "",
        "span": Span(FIRST, TODAY), "today": TODAY, "written_at": datetime(2026, 11, 30, tzinfo=UTC), "sums": sums,
        "rows": rows,
    }  # fmt: skip
    return Paper(**{**usual, **values})


def pages(one: Paper) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf(one))).pages]


@pytest.fixture(autouse=True)
def inside(app: Flask) -> Any:
    with app.test_request_context():
        yield


def test_every_line_stands_on_some_page_and_each_page_carries_the_balance_to_the_next() -> None:
    rows = entries(150)
    found = pages(paper(rows))
    assert len(found) > 3
    text = "\n".join(found)
    assert [row.number for row in rows if row.number not in text.split()] == []
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page
    for before, after in pairwise(found):
        carried = before.split("Carried forward")[1].split()[0]
        assert after.split("Brought forward")[1].split()[0] == carried
    assert found[0].count("Opening balance") == 2
    assert "150,075.00" in found[-1].split("Closing balance")[1]


def test_numbers_and_days_are_the_partners() -> None:
    german = Tenant(time_zone="Europe/Berlin", number_format="point_comma", date_format="year_month_day")
    with written_for(german):
        (page,) = pages(paper(entries(2)))
    assert "2.001,00" in page
    assert "2026-01-01" in page
    assert "1 Jan" not in page


def test_names_of_many_scripts_are_drawn_and_others_are_spelled_and_that_is_said() -> None:
    names = "Łódź Ελλάς Москва שלום บริษัท საქართველო"
    (page,) = pages(paper(entries(1), customer=names))
    assert "?" not in page
    assert "cannot draw" not in page
    assert all(word in page for word in ("Łódź", "Ελλάς", "Москва"))

    (page,) = pages(paper(entries(1), customer="株式会社 서울 Fabrikam", address="Caf\u00e9 \N{SUSHI}\ue000"))
    assert "ZhuShiHuiShe SeoUl Fabrikam" in page
    assert f"Café :sushi:{letters.MISSING}" in page
    said = " ".join(page.split())
    assert "cannot draw are spelled in Latin ones. 1 letter that it cannot spell stands as" in said


def test_only_what_shows_nothing_is_left_out_of_a_text() -> None:
    assert letters.drawable("a\u200bb\u202e\tc\n\u202fd") == letters.Drawable("ab c \N{NO-BREAK SPACE}d")
    assert letters.drawable("\u4e2d\u6587") == letters.Drawable("ZhongWen", spelled=2)
    assert letters.drawable("\ue000") == letters.Drawable(letters.MISSING, missing=1)
    assert letters.drawable("e\u0301") == letters.Drawable("é")


def test_long_texts_are_shortened_with_a_mark_and_stay_out_of_the_amounts() -> None:
    row = Entry(
        "USD",
        FIRST,
        Kind.PAYMENT,
        1,
        "N" * 100,
        1,
        None,
        "check",
        "reference " * 50,
        Decimal(-5),
        Decimal(-5),
    )
    (page,) = pages(paper([row], partner="Partner " * 40, address="Road " * 100, number="1" * 300))
    assert page.count("…") == 5
    assert "-5.00" in page


def test_a_logo_is_drawn_and_does_not_lie_on_the_words() -> None:
    for size in ((360, 120), (20, 120), (360, 6)):
        png = BytesIO()
        Image.new("RGBA", size, (10, 20, 30, 128)).save(png, "PNG")
        reader = PdfReader(BytesIO(pdf(paper(entries(1), logo=png.getvalue()))))
        assert [image.image.size for image in reader.pages[0].images] == [size]


def test_what_is_open_says_how_late_it_is_and_what_is_left_over() -> None:
    rows = [
        Open("USD", FIRST, 1, "N-1", FIRST, Decimal(100), Decimal(60), Decimal(60), 333),
        Open("USD", FIRST, 2, "N-2", None, Decimal(-20), Decimal(-20), Decimal(40), 0),
    ]
    sums = [OpenSums("USD", Decimal(60), Decimal(60), Decimal(20), Decimal(40), 2)]
    (page,) = pages(replace(paper([]), span=None, sums=sums, rows=rows))
    assert "333 days late" in page
    assert "credit left" in page
    assert "40.00" in page.split("To pay")[1]


def test_nothing_to_tell_is_said() -> None:
    assert "Nothing is open." in pages(paper([], span=None, sums=[]))[0]
    assert "Nothing happened" in pages(paper([], sums=[]))[0]


def test_the_same_paper_gives_the_same_bytes() -> None:
    assert pdf(paper(entries(3))) == pdf(paper(entries(3)))


def test_no_currency_begins_at_the_foot_of_a_page_without_its_lines() -> None:
    for number in range(20, 45):
        rows = [*entries(number), *entries(2, "JPY")]
        one = paper(entries(number))
        more = PeriodSums("JPY", Decimal(0), one.sums[0].moved, Decimal(2001), 2)  # type: ignore[union-attr]
        for page in pages(paper(rows, sums=[*one.sums, more])):
            assert ("All amounts in JPY" in page) == (
                "N-0" in page.split("All amounts in JPY")[-1] and "JPY" in page
            )
