"""Customers and invoices of a partner's own system, by API: given whole, so that repeating changes nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask

from portal.access.api_keys import Scope
from portal.extensions import db
from portal.models import AuditEvent, Customer, ImportRow, ImportRun, Invoice, InvoiceLine
from tests import factories
from tests.imports.caller import CUSTOMER, INVOICE, LINES, Caller, pointers


def test_an_invoice_is_made_once_and_its_repetition_changes_nothing(caller: Caller) -> None:
    first = caller.put("invoices/I-1", INVOICE)
    assert (first.status_code, first.json["amount_due"], first.json["status"]) == (201, "129.00", "open")
    assert (first.json["external_id"], first.json["customer_external_id"]) == ("I-1", "C-1")
    assert [line["amount"] for line in first.json["lines"]] == ["100.00", "10.00"]
    rows = caller.inside(lambda: db.session.execute(db.text("SELECT xmin::text FROM invoice")).all())
    events = caller.count(AuditEvent)
    again = caller.put("invoices/I-1", INVOICE)
    assert (again.status_code, again.json) == (200, first.json)
    assert caller.inside(lambda: db.session.execute(db.text("SELECT xmin::text FROM invoice")).all()) == rows
    assert caller.count(AuditEvent) == events


def test_a_change_is_told_field_by_field(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    more = [*LINES, {"name": "Disk", "amount": "6", "quantity": "4"}]
    answer = caller.put("invoices/I-1", INVOICE | {"due_on": "2026-12-01", "lines": more})
    assert (answer.status_code, answer.json["amount_due"], answer.json["due_on"]) == (
        200,
        "135.00",
        "2026-12-01",
    )
    assert answer.json["lines"][2]["rate"] == "1.5"
    event = caller.inside(
        lambda: db.session.query(AuditEvent).filter_by(event="invoice.changed").one().details
    )
    assert event["before"] == {
        "due_on": "",
        "net": "110.00",
        "total": "129.00",
        "lines": "Hosting 100; Support 10",
    }
    assert event["after"]["lines"] == "Hosting 100; Support 10; Disk 6"
    assert event["api_key"].startswith("ERP (")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"customer": "C-9"}, "/customer"),
        ({"customer": 5}, "/customer"),
        ({"currency": "EUR"}, "/currency"),
        ({"currency": "XXXX"}, "/currency"),
        ({"number": ""}, "/number"),
        ({"issued_on": "01.11.2026"}, "/issued_on"),
        ({"issued_on": "1890-01-01"}, "/issued_on"),
        ({"due_on": "soon"}, "/due_on"),
        ({"total": "129.01"}, "/total"),
        ({"tax": "1"}, "/tax"),
        ({"lines": []}, "/lines"),
        ({"lines": "x"}, "/lines"),
        ({"lines": [5]}, "/lines/0"),
        ({"lines": [{"name": "a", "amount": 5}]}, "/lines/0/amount"),
        ({"lines": [{"name": "a", "amount": "1e3"}]}, "/lines/0/amount"),
        ({"lines": [{"name": "a", "amount": "0.0000001"}]}, "/lines/0/amount"),
        ({"lines": [{"name": "a", "amount": "99999999999"}, {"name": "b", "amount": "1"}]}, "/total"),
        ({"lines": [{"name": "", "amount": "1"}]}, "/lines/0/name"),
        ({"lines": [{"name": "a", "amount": "1", "date": "x"}]}, "/lines/0/date"),
        ({"voided": "no"}, "/voided"),
        ({"paid": True}, "/paid"),
    ],
)
def test_every_fault_names_its_field_and_nothing_is_stored(caller: Caller, change: Any, pointer: str) -> None:
    answer = caller.put("invoices/I-1", INVOICE | change)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert pointer in pointers(answer)
    assert caller.count(Invoice) == caller.count(InvoiceLine) == 0


def test_without_lines_the_total_says_what_is_owed(caller: Caller) -> None:
    bare = {name: value for name, value in INVOICE.items() if name != "lines"}
    assert pointers(caller.put("invoices/I-1", bare)) == ["/total"]
    made = caller.put("invoices/I-1", bare | {"total": "119.00", "tax": "19.00"})
    assert (made.status_code, made.json["amount_due"], made.json["lines"]) == (201, "119.00", [])
    with_lines = caller.put("invoices/I-1", INVOICE)
    assert len(with_lines.json["lines"]) == 2
    assert caller.put("invoices/I-1", bare | {"total": "119.00"}).json["lines"] == []


def test_money_that_was_recorded_is_never_undercut(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    caller.put("customers/C-2", CUSTOMER)
    caller.pay("129.00")
    less = INVOICE | {"lines": [{"name": "Hosting", "amount": "100.00"}]}
    refused = caller.put("invoices/I-1", less)
    assert refused.json["errors"][0] == {
        "pointer": "/total",
        "detail": "129.00\xa0USD is already paid; the total cannot be less.",
    }
    assert pointers(caller.put("invoices/I-1", INVOICE | {"voided": True})) == ["/voided"]
    assert pointers(caller.put("invoices/I-1", INVOICE | {"customer": "C-2"})) == ["/customer"]
    assert caller.get("invoices")["data"][0]["status"] == "paid"
    more = caller.put("invoices/I-1", INVOICE | {"lines": [*LINES, {"name": "Disk", "amount": "1.00"}]})
    assert (more.json["status"], more.json["outstanding"]) == ("part_paid", "1.00")


def test_a_void_and_its_end_are_two_puts(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    assert caller.put("invoices/I-1", INVOICE | {"voided": True}).json["status"] == "voided"
    assert caller.put("invoices/I-1", INVOICE | {"voided": True}).status_code == 200
    assert caller.put("invoices/I-1", INVOICE).json["status"] == "open"


def test_a_negative_total_is_a_credit(caller: Caller) -> None:
    credit = INVOICE | {"lines": [{"name": "Refund", "amount": "-40.00"}]}
    assert caller.put("invoices/I-1", credit).json["status"] == "credit"


def test_a_number_belongs_to_one_invoice(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    answer = caller.put("invoices/I-2", INVOICE)
    assert pointers(answer) == ["/number"]
    assert "external_id I-1 has the number A-1" in answer.json["errors"][0]["detail"]
    caller.put("invoices/I-1", INVOICE | {"voided": True})
    assert caller.put("invoices/I-2", INVOICE).status_code == 201


def test_a_customer_with_invoices_keeps_its_currency(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    assert pointers(caller.put("customers/C-1", {"name": "Fabrikam", "currency": "EUR"})) == ["/currency"]
    assert pointers(caller.put("customers/C-3", {"name": " ", "currency": "ZZZ"})) == ["/name"]
    assert pointers(caller.put("customers/C-3", {"name": "x", "currency": "ZZZ"})) == ["/currency"]
    assert caller.put("customers/C-1", CUSTOMER | {"name": "Fabrikam Ltd"}).json["name"] == "Fabrikam Ltd"


def test_each_row_of_a_batch_is_taken_or_refused_by_itself(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    answer = caller.put(
        "invoices",
        {
            "data": [
                INVOICE | {"external_id": "I-1"},
                INVOICE | {"external_id": "I-2", "number": "A-2"},
                INVOICE | {"external_id": "I-3", "number": "A-2"},
                INVOICE | {"external_id": "I-4", "number": "A-4", "customer": "C-9"},
                INVOICE | {"external_id": " I-5"},
                "x",
                INVOICE | {"external_id": "I-6", "number": "A-6", "total": "1"},
            ]
        },
    )
    assert answer.status_code == 200
    results = [row["result"] for row in answer.json["data"]]
    assert results == ["unchanged", "created", *["refused"] * 5]
    told = [[one["pointer"] for one in row["errors"]] for row in answer.json["data"]]
    assert told == [
        [], [], ["/data/2/number"], ["/data/3/customer"], ["/data/4/external_id"], ["/data/5/external_id"],
        ["/data/6/total"],
    ]  # fmt: skip
    run = caller.inside(lambda: db.session.get_one(ImportRun, (caller.partner, answer.json["import_id"])))
    assert run.results == {"created": 1, "unchanged": 1, "refused": 5}
    rows = caller.inside(lambda: db.session.query(ImportRow).order_by(ImportRow.place).all())
    assert [(row.place, row.result) for row in rows] == [
        (1, "created"),
        *((n, "refused") for n in range(2, 7)),
    ]
    assert rows[2].reasons == [["customer", "There is no customer with the external_id C-9."]]


def test_what_stands_twice_in_a_batch_is_not_guessed_at(caller: Caller) -> None:
    rows = [CUSTOMER | {"external_id": "C-7"}, CUSTOMER | {"external_id": "C-7", "name": "Other"}]
    answer = caller.put("customers", {"data": rows})
    assert [row["result"] for row in answer.json["data"]] == ["refused", "refused"]
    assert caller.count(Customer) == 1


@pytest.mark.parametrize(
    "body", [[], {}, {"data": []}, {"data": [CUSTOMER] * 501}, {"data": 5}, {"rows": []}]
)
def test_a_batch_is_a_list_of_1_to_500(caller: Caller, body: Any) -> None:
    assert caller.put("customers", body).status_code == 422
    assert caller.count(ImportRun) == 0


def test_a_batch_takes_as_many_statements_for_ten_rows_as_for_a_hundred(
    caller: Caller, count_queries: Callable[[Callable[[], Any]], int]
) -> None:
    def batch(size: int, start: int) -> int:
        names = range(start, start + size)
        rows = [INVOICE | {"external_id": f"B-{one}", "number": f"N-{one}"} for one in names]
        results: set[str] = set()

        def put() -> None:
            answer = caller.put("invoices", {"data": rows})
            results.update(row["result"] for row in answer.json["data"])

        counted = count_queries(put)
        assert results == {"created"}
        return counted

    assert batch(100, 100) <= batch(10, 0) + 2


def test_a_batch_of_changes_takes_as_many_statements_for_ten_rows_as_for_a_hundred(
    caller: Caller, count_queries: Callable[[Callable[[], Any]], int]
) -> None:
    """Each invoice moves from a customer of its own to another."""
    customers = [CUSTOMER | {"external_id": f"C-{one}"} for one in range(2, 222)]
    caller.put("customers", {"data": customers})

    def put(names: range, moved: int) -> set[str]:
        rows = [
            INVOICE | {"external_id": f"B-{one}", "number": f"N-{one}", "customer": f"C-{2 + one + moved}"}
            for one in names
        ]
        return {row["result"] for row in caller.put("invoices", {"data": rows}).json["data"]}

    put(range(110), 0)
    results: set[str] = set()
    few, many = (
        count_queries(lambda names=names: results.update(put(names, 110)))  # type: ignore[misc]
        for names in (range(10), range(10, 110))
    )
    assert results == {"changed"}
    assert many <= few + 2


def test_the_bell_of_deliveries_rings_for_changed_invoices_only(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr("portal.queue.bell", lambda *arguments: rung.append(arguments))
    for _ in range(2):
        caller.put("invoices/I-1", INVOICE)
        caller.put("invoices", {"data": [INVOICE | {"external_id": "I-1"}]})
        caller.put("customers/C-1", CUSTOMER | {"name": "Fabrikam Ltd"})
    assert rung == []
    caller.put("invoices/I-1", INVOICE | {"comments": "x"})
    caller.put("invoices", {"data": [INVOICE | {"external_id": "I-1"}]})
    assert rung == [("deliveries", "jobs.deliver.deliver_due", caller.partner)] * 2


def test_two_who_put_the_same_invoice_at_once_make_one(caller: Caller) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: caller.put("invoices/I-1", INVOICE).status_code, range(6)))
    assert sorted(answers) == [200, 200, 200, 200, 200, 201]
    assert caller.count(Invoice) == 1
    assert caller.count(InvoiceLine) == 2


def test_what_autotask_owns_is_refused_in_words(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)

    def adopt() -> None:
        integration = factories.integration(caller.app)
        row = caller.row()
        row.integration_id, row.autotask_id = integration.id, 77
        db.session.commit()

    caller.inside(adopt)
    answer = caller.put("invoices/I-1", INVOICE | {"comments": "x"})
    assert answer.json["errors"][0]["detail"].startswith("Autotask owns this invoice.")
    assert caller.inside(lambda: caller.row().comments) == ""


def test_a_key_needs_the_scope(caller: Caller) -> None:
    reads = caller.inside(lambda: caller.key([Scope.READ, Scope.WRITE_PAYMENTS]))
    for path in ("customers/C-2", "customers", "invoices/I-1", "invoices"):
        assert caller.put(path, {}, reads).status_code == 403


def test_a_name_that_another_partner_gave_is_not_known_here(app: Flask, caller: Caller) -> None:
    other = Caller(app, "contoso")
    assert pointers(other.put("invoices/I-1", INVOICE)) == ["/customer"]
    other.put("customers/C-1", CUSTOMER)
    assert other.put("invoices/I-1", INVOICE).status_code == 201
    assert caller.put("invoices/I-1", INVOICE).status_code == 201
    assert (caller.count(Invoice), other.count(Invoice)) == (1, 1)


@pytest.mark.parametrize("name", ["%20", "x" * 101, "a%09b"])
def test_an_odd_name_is_an_unknown_address(caller: Caller, name: str) -> None:
    assert caller.put(f"customers/{name}", CUSTOMER).status_code == 404


def test_names_and_numbers_are_looked_up(caller: Caller) -> None:
    caller.put("invoices/12", INVOICE)
    caller.put("invoices/I-2", INVOICE | {"number": "A-2"})
    assert [row["number"] for row in caller.get("invoices?external_id=12")["data"]] == ["A-1"]
    assert [row["external_id"] for row in caller.get("invoices?number=A-2")["data"]] == ["I-2"]
    assert [row["external_id"] for row in caller.get("customers?external_id=C-1")["data"]] == ["C-1"]


def test_amounts_are_kept_to_the_digit(caller: Caller, superuser: psycopg.Connection[Any]) -> None:
    lines = [{"name": "CPU", "amount": "0.333333", "quantity": "3"}, {"name": "GB", "amount": "0.671667"}]
    assert caller.put("invoices/I-1", INVOICE | {"lines": lines}).json["amount_due"] == "1.01"
    assert superuser.execute("SELECT total_raw, amount_due FROM invoice").fetchone() == (
        Decimal("1.005000"),
        Decimal("1.0100"),
    )
