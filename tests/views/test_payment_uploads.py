"""Many payments from a file: every fault beside its row, one commit for all, the same file twice counts once."""

import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal import clock
from portal.extensions import db
from portal.models import Invoice, Payment, Tenant
from tests import factories
from tests.reading import element, words_of

URL = "/p/northwind/payments/upload"
HEADING = "Invoice,Amount,Date,Method,Reference\r\n"


@pytest.fixture
def clerk(app: Flask, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """A clerk of a partner with INV-1 over 100, INV-2 over 50, and two invoices numbered TWICE."""
    with app.app_context():
        with factories.inside(factories.tenant(slug="northwind")):
            source = factories.integration(app)
            factories.invoice(factories.customer(source), "100.00", number="INV-1", autotask_id=11)
            for number in ("INV-2", "TWICE", "TWICE"):
                factories.invoice(factories.customer(), "50.00", number=number)
        return log_in(db.session.query(Tenant).filter_by(slug="northwind").one(), "clerk")


@pytest.fixture(autouse=True)
def on_24_november(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda _: date(2026, 11, 24))


def choose(browser: FlaskClient, words: str | bytes, order: str = "month") -> Any:
    data = words.encode() if isinstance(words, str) else words
    return browser.post(URL, data={"file": (io.BytesIO(data), "payments.csv"), "order": order})


def record(browser: FlaskClient, page: str, **more: str) -> Any:
    words = element(page, "textarea").get_text().removeprefix("\n")
    key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
    assert key is not None
    order = re.search(r'name="order"[^>]* value="([^"]+)"', page)
    assert order is not None
    data = {"key": key[1], "words": words.lstrip("\n"), "order": order[1], **more}
    return browser.post(f"{URL}/record", data=data)


def recorded(app: Flask) -> int:
    with app.app_context():
        tenant = db.session.query(Tenant).filter_by(slug="northwind").one()
        with factories.inside(tenant):
            return db.session.scalar(select(func.count()).select_from(Payment)) or 0


def days(app: Flask) -> list[str]:
    with app.app_context():
        tenant = db.session.query(Tenant).filter_by(slug="northwind").one()
        with factories.inside(tenant):
            return [day.isoformat() for day in db.session.scalars(select(Payment.paid_on))]


def test_a_file_is_looked_at_then_recorded_at_once(app: Flask, clerk: FlaskClient) -> None:
    rows = "INV-1,60.00,2026-11-19,check,104\r\nINV-1,40.00,2026-11-20,ach,\r\nINV-2,10,2026-11-20,,\r\n"
    page = choose(clerk, HEADING + rows)
    assert page.status_code == 200
    assert "3 payments ready to record, 110.00\N{NO-BREAK SPACE}USD." in page.text
    assert recorded(app) == 0
    assert record(clerk, page.text).status_code == 303
    assert recorded(app) == 3
    assert record(clerk, page.text).status_code == 303
    assert recorded(app) == 3


def test_a_file_keeps_the_partners_audit_log_for_itself_only_while_it_writes_there(
    clerk: FlaskClient, asked: Callable[[Callable[[], Any]], list[str]]
) -> None:
    page = choose(clerk, HEADING + "INV-1,10,2026-11-20,check,a\r\nINV-2,20,2026-11-20,check,b\r\n").text
    said = asked(lambda: record(clerk, page))
    first = next(i for i, sql in enumerate(said) if "pg_advisory_xact_lock(8101" in sql)
    last = max(i for i, sql in enumerate(said) if "INTO audit_head" in sql)
    between = [
        sql for sql in said[first:last] if "audit_" not in sql and "pg_advisory_xact_lock(8101" not in sql
    ]
    assert between == []


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("INV-9,1.00,2026-11-19,,", "There is no such invoice."),
        (",1.00,2026-11-19,,", "The invoice is missing."),
        ("TWICE,1.00,2026-11-19,,", "2 invoices have this number."),
        ("INV-1,0,2026-11-19,,", "The amount must be more than zero."),
        ("INV-1,NaN,2026-11-19,,", "Write the amount in digits"),
        ("INV-1,0.001,2026-11-19,,", "USD amounts have at most 2 decimals."),
        ("INV-1,100.01,2026-11-19,,", "Only 100.00\N{NO-BREAK SPACE}USD is still owed on it."),
        (
            "INV-1,1.00,19/11/2026,,",
            "is no date with the month first. If the file writes the day first, choose",
        ),
        ("INV-1,1.00,11/19/26,,", "Write the date like 11/19/2026 or 2026-11-19."),
        ("INV-1,1.00,2026-11-25,,", "25 Nov 2026 is after today, 24 Nov 2026."),
        ("INV-1,1.00,1066-10-14,,", "This date cannot be right."),
        (f"INV-1,1.00,2026-11-19,,{'x' * 501}", "Use at most 500 characters."),
        ("INV-1,1.00,2026-11-19,barter,", "The method must be one of card, ach"),
        ("INV-1,1.00,2026-11-19,,x,extra", "more cells than the first row names"),
    ],
)
def test_a_faulty_row_is_told_and_nothing_of_the_file_is_recorded(
    app: Flask, clerk: FlaskClient, row: str, sentence: str
) -> None:
    page = choose(clerk, f"{HEADING}INV-2,10.00,2026-11-19,,\r\n{row}\r\n")
    assert sentence in page.text
    assert "1 of 2 rows cannot be recorded." in page.text
    assert "<textarea" not in page.text
    forced = clerk.post(f"{URL}/record", data={"key": "a-key-of-this-form", "words": f"{HEADING}{row}"})
    assert forced.status_code == 422
    assert recorded(app) == 0


def test_later_rows_cannot_pay_what_earlier_ones_already_do(app: Flask, clerk: FlaskClient) -> None:
    page = choose(clerk, HEADING + "INV-1,60.00,2026-11-19,,\r\nINV-1,60.00,2026-11-20,,\r\n")
    assert "Only 40.00\N{NO-BREAK SPACE}USD is still owed on it." in page.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (b"", "The file is empty."),
        (b"Invoice,Sum\r\n1,2", "The first row must name the columns"),
        (HEADING.encode(), "no payments"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not readable text"),
        (b"Invoice,Amount,Date\r\n\0,1,2026-11-19", "not a CSV file"),
        (b'Invoice,Amount,Date\r\n"1,2,3', "a quotation mark is left open"),
        (b"Invoice,Amount,Date,Amount\r\n1,2,3,4", "A column appears twice"),
        (b"x" * 400_001, "larger than 400 kB"),
        (HEADING.encode() + b"INV-1,1,2026-11-19,,\n" * 1001, "at most 1,000"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(clerk: FlaskClient, words: bytes, sentence: str) -> None:
    answer = choose(clerk, words)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_excel_and_european_files_are_read_too(clerk: FlaskClient) -> None:
    semicolons = "\ufeffAutotask ID;Amount;Date\r\n11;12.50;2026-11-19\r\n"
    assert "1 payment ready to record, 12.50" in choose(clerk, semicolons).text


@pytest.mark.parametrize(
    ("order", "cell", "words"),
    [
        ("month", "11/5/2026", "Dates are read with the month first: “11/5/2026” is 5 Nov 2026."),
        ("day", "5.11.2026", "Dates are read with the day first: “5.11.2026” is 5 Nov 2026."),
        ("day", "2026-11-05", ""),
    ],
)
def test_dates_are_read_in_one_order_that_the_preview_names(
    app: Flask, clerk: FlaskClient, order: str, cell: str, words: str
) -> None:
    page = choose(clerk, f"{HEADING}INV-1,10.00,{cell},,\r\nINV-2,11.00,2026-11-06,,\r\n", order).text
    assert "2 payments ready to record" in page
    assert words in page
    assert ("Dates are read" in page) == bool(words)
    assert record(clerk, page).status_code == 303
    assert sorted(days(app)) == ["2026-11-05", "2026-11-06"]


def test_the_order_of_dates_is_suggested_by_where_the_partner_is(app: Flask, clerk: FlaskClient) -> None:
    for zone, order in (("America/Chicago", "month"), ("Europe/Berlin", "day"), ("Asia/Tokyo", "year")):
        with app.app_context():
            db.session.query(Tenant).filter_by(slug="northwind").one().time_zone = zone
            db.session.commit()
        assert f'<option selected value="{order}">' in clerk.get(URL).text, zone


def test_old_dates_are_confirmed_once_for_the_whole_file(app: Flask, clerk: FlaskClient) -> None:
    page = choose(clerk, HEADING + "INV-1,10.00,2024-02-29,,\r\nINV-2,11.00,2025-01-02,,\r\n").text
    assert "Yes, 2 payments were made more than a year ago, the oldest on 29 Feb 2024." in words_of(page)
    asked = record(clerk, page)
    assert asked.status_code == 422
    assert "Tick the box if these dates are right" in asked.text
    assert recorded(app) == 0
    assert record(clerk, page, confirm_old_days="2024-02-29").status_code == 303
    assert recorded(app) == 2


def test_two_rows_of_one_file_that_say_the_same_are_pointed_out(clerk: FlaskClient) -> None:
    page = choose(clerk, HEADING + "INV-1,10.00,2026-11-19,,\r\n" * 1 + "INV-1,10.00,2026-11-19,,\r\n").text
    assert "Row 2 of this file has the same customer, amount and day. Is it the same money?" in page
    assert "1 payment needs a look" in page


def test_the_same_money_again_is_pointed_out(app: Flask, clerk: FlaskClient) -> None:
    row = HEADING + "INV-1,10.00,2026-11-19,,\r\n"
    record(clerk, choose(clerk, row).text)
    assert "Is it the same money?" in choose(clerk, row).text


def test_an_invoice_paid_meanwhile_stops_the_whole_file(app: Flask, clerk: FlaskClient) -> None:
    page = choose(clerk, HEADING + "INV-2,10.00,2026-11-19,,\r\nINV-1,100.00,2026-11-19,,\r\n").text
    with app.app_context():
        tenant = db.session.query(Tenant).filter_by(slug="northwind").one()
        with factories.inside(tenant):
            invoice = db.session.scalars(select(Invoice).where(Invoice.number == "INV-1")).one()
            factories.payment((invoice, "1.00"))
    assert record(clerk, page).status_code == 422
    assert recorded(app) == 1


def test_a_file_with_one_more_row_costs_a_few_statements_more(
    app: Flask, clerk: FlaskClient, count_queries: Callable[..., int]
) -> None:
    """A full file of 1,000 rows is recorded within the time a request has."""

    def recording(rows: int, day: int) -> int:
        words = "".join(f"INV-1,1.00,2026-11-{day + n:02},,\r\n" for n in range(rows))
        page = choose(clerk, HEADING + words).text
        return count_queries(lambda: record(clerk, page))

    one, six = recording(1, 1), recording(6, 5)
    assert six - one <= 5 * 8
