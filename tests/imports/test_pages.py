"""What came in from a partner's own system, as its people read it: imports, a record's history, the activity log."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Customer
from portal.queries import import_words
from tests.imports.caller import CUSTOMER, INVOICE, LINES, Caller
from tests.reading import elements, words_of

LogIn = Callable[..., FlaskClient]


@pytest.fixture
def reader(caller: Caller, log_in: LogIn) -> FlaskClient:
    return log_in(caller.inside(caller.tenant), "reader")


def batch(caller: Caller, *records: Any) -> str:
    """The page of a batch of invoices."""
    return f"/p/northwind/imports/{caller.put('invoices', {'data': list(records)}).json['import_id']}"


def page_of(caller: Caller, number: str = "A-1") -> str:
    return f"/p/northwind/invoices/{caller.inside(lambda: caller.row(number).id)}"


def test_an_import_names_fields_and_reasons_in_words_of_the_page(caller: Caller, reader: FlaskClient) -> None:
    caller.put("invoices/I-1", INVOICE)
    path = batch(
        caller,
        INVOICE | {"external_id": "I-1", "due_on": "2026-12-01"},
        INVOICE | {"external_id": "I-2", "number": "A-2", "customer": "C-9"},
        INVOICE | {"external_id": "I-3", "lines": [{"name": "Hosting", "amount": "x"}]},
        INVOICE | {"external_id": "I-4"},
    )
    page = reader.get(path).text
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.select("td")] for row in elements(page, "tbody tr")
    ]
    told = [row[-3:] for row in rows]
    assert ["Due on", "–", "1 Dec 2026"] in told
    assert ["Customer", "", "There is no customer with the number in your billing system C-9."] in told
    assert ["Line 1, amount", ""] in [row[:2] for row in told]
    assert "The invoice with the number in your billing system I-1 has the number A-1." in words_of(page)
    assert "external_id" not in page
    assert "/" not in "".join(row[0] for row in told)


def test_changes_stand_in_the_order_of_an_invoice_and_amounts_as_the_partner_writes_them(
    caller: Caller, reader: FlaskClient
) -> None:
    caller.put("invoices/I-1", INVOICE)
    lines = [{"name": "Rack", "amount": "1875", "tax": "356.25"}]
    changed = {
        "external_id": "I-1",
        "due_on": "2026-12-01",
        "lines": lines,
        "comments": "1875",
        "number": "2001",
    }
    page = reader.get(batch(caller, INVOICE | changed)).text
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.select("td")][-3:]
        for row in elements(page, "tbody tr")
    ]
    assert rows == [
        ["Number", "A-1", "2001"],
        ["Due on", "–", "1 Dec 2026"],
        ["Lines", "Hosting 100; Support 10", "Rack 1875"],
        ["Without tax", "110.00", "1,875.00"],
        ["Of which tax", "19.00", "356.25"],
        ["Total", "129.00", "2,231.25"],
        ["Comments", "–", "1875"],
    ]


def test_a_narrow_screen_is_told_why_and_no_field_that_there_is_not(
    caller: Caller, reader: FlaskClient
) -> None:
    path = batch(
        caller,
        INVOICE | {"external_id": "I-1"},
        INVOICE | {"external_id": "I-2", "number": "A-2", "customer": "C-9"},
    )
    new, refused = elements(reader.get(path).text, "tbody[data-row]")
    assert [cell["data-label"] for cell in new.select("td") if cell.contents] == ["Result"]
    assert [cell["data-label"] for cell in refused.select("td") if cell.contents] == [
        "Result",
        "Field",
        "Why",
    ]
    assert (new.select_one(".sub-line").text, refused.select(".sub-line")) == ("I-1", [])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        ("", "Record"),
        ("lines/0/amount", "Line 1, amount"),
        ("lines/11", "Line 12"),
        ("lines", "Lines"),
        ("lines/0/date", "Line 1, date"),
        ("external_id", "Number in your billing system"),
        ("some_new_thing", "Some new thing"),
    ],
)
def test_a_field_of_the_api_has_words(app: Flask, pointer: str, words: str) -> None:
    with app.test_request_context():
        assert import_words.field(pointer) == words


def test_nothing_came_in_yet(caller: Caller, reader: FlaskClient) -> None:
    assert "Nothing came in yet." in reader.get("/p/northwind/imports").text


def test_a_record_tells_which_batch_made_and_changed_it(caller: Caller, reader: FlaskClient) -> None:
    made = batch(caller, INVOICE | {"external_id": "I-1"}, INVOICE | {"external_id": "I-2", "number": "A-2"})
    changed = batch(
        caller,
        INVOICE | {"external_id": "I-1", "due_on": "2026-12-01", "lines": [LINES[0]]},
        INVOICE | {"external_id": "I-2"},
    )
    path = page_of(caller)
    for address in (path, f"{path}/history"):
        page = reader.get(address).text
        links = {link["href"]: link.get_text() for link in elements(page, "main a")}
        assert (links[made], links[changed]) == ("Made by an import", "Changed by an import")
        for words in ("Due on: – → 1 Dec 2026", "Total: 129.00 → 119.00", "API key ERP"):
            assert words in words_of(page)
        assert "Support 10 → Hosting 100" in words_of(page)
    other = reader.get(f"{page_of(caller, 'A-2')}/history").text
    assert "Made by an import" in other
    assert "Changed by an import" not in other, "it was refused"


def test_a_customer_and_an_invoice_of_one_id_have_their_own_histories(
    caller: Caller, reader: FlaskClient
) -> None:
    caller.put("customers", {"data": [CUSTOMER | {"external_id": f"C-{one}"} for one in range(2, 30)]})
    batch(caller, *(INVOICE | {"external_id": f"I-{one}", "number": f"A-{one}"} for one in range(1, 30)))

    def ids(model: Any) -> set[int]:
        return set(caller.inside(lambda: db.session.scalars(db.select(model.id)).all()))

    customer = caller.inside(lambda: db.session.query(Customer).filter_by(external_id="C-29").one().id)
    page = words_of(reader.get(f"/p/northwind/customers/{customer}/history").text)
    assert page.count("Made by an import") == 1


def test_the_activity_log_says_all_that_a_put_changed(caller: Caller, reader: FlaskClient) -> None:
    caller.put("customers/C-2", CUSTOMER | {"name": "Adatum"})
    caller.put("invoices/I-1", INVOICE | {"order_number": "PO-1"})
    caller.put("invoices/I-1", INVOICE | {"order_number": "PO-2", "customer": "C-2", "lines": LINES[:1]})
    caller.put(
        "invoices/I-1",
        INVOICE | {"order_number": "PO-2", "customer": "C-2", "lines": LINES[:1], "voided": True},
    )
    caller.put("customers/C-2", CUSTOMER | {"name": "Adatum", "active": False, "tax_exempt": True})
    page = words_of(reader.get("/p/northwind/activity").text)
    for words in (
        "Order number: PO-1 → PO-2", "Customer: Fabrikam → Adatum", "Without tax: 110.00 → 100.00", "Total: 129.00 → 119.00",
        "Lines: Hosting 100; Support 10 → Hosting 100", "Voided: no → yes", "Active: yes → no", "Tax exempt: no → yes",
    ):  # fmt: skip
        assert words in page
