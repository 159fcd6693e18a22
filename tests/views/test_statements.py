"""Statements as pages, as PDFs and by the API."""

from datetime import date
from io import BytesIO
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from pypdf import PdfReader

from portal.access import api_keys
from portal.extensions import db
from portal.paper import making
from portal.people import logo
from portal.storage import StorageFailed
from tests import factories

NOVEMBER = "?from=2026-11-01&until=2026-11-30"


class Books:
    """A partner with a customer that owed 60.00 before November, was billed 200.00 in it and paid 150.00."""

    def __init__(self, app: Flask, log_in: Any) -> None:
        with app.app_context():
            partner = factories.tenant("northwind", name="Northwind", number_format="point_comma")
            with factories.inside(partner):
                customer = factories.customer(name="Łódź Fabrikam")
                old = factories.invoice(customer, "1060.00", issued_on=date(2026, 10, 1), number="OLD")
                factories.payment((old, "1000.00"), on=date(2026, 10, 2))
                new = factories.invoice(customer, "200.00", issued_on=date(2026, 11, 2), number="NEW")
                factories.payment((old, "60.00"), (new, "90.00"), on=date(2026, 11, 9), reference="ch_1")
                _, self.secret = api_keys.create(factories.ACTOR, "ERP", [api_keys.Scope.READ])
                db.session.commit()
                self.customer = customer.id
            other = factories.tenant("contoso")
            self.reader = log_in(partner, "reader")
            self.stranger = log_in(other, "owner")
        self.path = f"/p/northwind/customers/{self.customer}/statement"
        self.api = f"/api/v1/customers/{self.customer}/statement"

    def call(self, query: str = "", *, kind: str = "") -> Any:
        return self.reader.application.test_client().get(
            self.api + kind + query, headers={"Authorization": f"Bearer {self.secret}"}
        )


@pytest.fixture
def books(app: Flask, log_in: Any) -> Books:
    return Books(app, log_in)


def cells(page: str) -> list[list[str]]:
    rows = BeautifulSoup(page, "html.parser").select("#statement tr")
    return [[" ".join(cell.get_text(" ").split()) for cell in row.select("th, td")] for row in rows]


def test_a_reader_sees_a_period_in_the_partners_own_numbers(books: Books) -> None:
    rows = cells(books.reader.get(books.path + NOVEMBER).text)
    assert ["Opening balance", "60,00"] in rows
    assert ["Invoices", "200,00"] in rows
    assert ["Payments", "-150,00"] in rows
    assert ["Closing balance", "110,00"] in rows
    assert ["2 Nov 2026", "Invoice", "NEW due 1 Dec 2026", "200,00 USD", "260,00 USD"] in rows
    assert ["9 Nov 2026", "Payment", "2 invoices Check, ch_1", "-150,00 USD", "110,00 USD"] in rows


def test_without_days_it_tells_what_is_open(books: Books) -> None:
    page = books.reader.get(books.path).text
    assert [row[1:2] + row[3:] for row in cells(page)][-1] == ["NEW", "200,00 USD", "110,00 USD"]
    assert 'aria-current="page"' in page


def test_days_that_cannot_be_read_are_told_and_stay_in_the_form(books: Books) -> None:
    page = books.reader.get(books.path + "?from=2026-11-30&until=2026-11-01").text
    assert "The first day is after the last one. Shown is what is open." in page
    assert 'value="2026-11-30"' in page


def test_the_customers_page_leads_there(books: Books) -> None:
    assert f'href="{books.path}"' in books.reader.get(books.path.removesuffix("/statement")).text


def test_the_pdf_is_a_file_with_name_and_numbers(books: Books) -> None:
    answer = books.reader.get(books.path + ".pdf" + NOVEMBER)
    assert answer.mimetype == "application/pdf"
    assert "Statement%20%C5%81%C3%B3d%C5%BA%20Fabrikam" in answer.headers["Content-Disposition"]
    (page,) = [page.extract_text() for page in PdfReader(BytesIO(answer.data)).pages]
    assert all(
        words in page for words in ("Northwind", "Łódź Fabrikam", "1 Nov 2026 to 30 Nov 2026", "110,00")
    )


def test_a_storage_that_is_away_leaves_the_logo_out(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> bytes:
        raise StorageFailed("away")

    monkeypatch.setattr(logo, "of", away)
    assert books.reader.get(books.path + ".pdf").status_code == 200


def test_one_that_is_too_long_is_refused_in_words_on_the_page_and_by_the_api(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST", 1)
    page = books.reader.get(books.path + ".pdf" + NOVEMBER, follow_redirects=True)
    assert "This statement has 2 lines, and a PDF holds 1. Choose a shorter period." in page.text
    assert page.request.query_string.decode() == NOVEMBER[1:]
    answer = books.call(NOVEMBER, kind=".pdf")
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


@pytest.mark.parametrize("kind", ["", ".pdf"])
def test_strangers_find_nothing(books: Books, kind: str) -> None:
    assert books.stranger.get(books.path + kind).status_code == 404
    theirs = books.path.replace("northwind", "contoso")
    assert books.stranger.get(theirs + kind).status_code == 404


def test_the_api_tells_the_same_in_pages(books: Books) -> None:
    first = books.call(NOVEMBER + "&limit=1").json
    assert first["currencies"] == [
        {
            "currency": "USD", "lines": 2, "opening": "60.00", "invoiced": "200.00", "credited": "0.00",
            "paid": "-150.00", "failed": "0.00", "refunded": "0.00", "charged_back": "0.00", "marked_as_paid": "0.00", "archived": "0.00", "closing": "110.00",
        }
    ]  # fmt: skip
    assert [(row["kind"], row["balance"]) for row in first["data"]] == [("invoice", "260.00")]
    second = books.call(NOVEMBER + f"&limit=1&cursor={first['next_cursor']}").json
    assert [(row["kind"], row["amount"], row["balance"]) for row in second["data"]] == [
        ("payment", "-150.00", "110.00")
    ]
    assert second["next_cursor"] is None
    opened = books.call().json
    assert [(row["number"], row["open"]) for row in opened["data"]] == [("NEW", "110.00")]
    assert opened["from"] is None


def test_the_api_gives_the_pdf(books: Books) -> None:
    answer = books.call(NOVEMBER, kind=".pdf")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert "110,00" in PdfReader(BytesIO(answer.data)).pages[0].extract_text()


@pytest.mark.parametrize(
    "query", ["?from=2026-02-30", "?cursor=x", "?since=1", NOVEMBER + "&cursor=USD~x~1~1"]
)
def test_the_api_refuses_what_it_cannot_read_by_name(books: Books, query: str) -> None:
    answer = books.call(query)
    assert answer.status_code in (400, 422)
    assert answer.json["detail"].split(":")[0] in ("from", "cursor") or "since" in answer.json["detail"]
