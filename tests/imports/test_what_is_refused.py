"""What a partner's own system sends and is refused, alone or in a batch: nothing of it is stored."""

from datetime import date
from decimal import Decimal
from threading import Thread
from typing import Any

import psycopg
import pytest

from portal import own_records
from portal.extensions import db
from portal.models import Customer, IntegrationRole, Invoice
from portal.own_records import NewInvoice
from portal.payments import applying_credits
from portal.payments.applying_credits import NewApplication
from tests import factories
from tests.imports.caller import CUSTOMER, INVOICE, Caller, pointers

LARGEST = "99999999999"


def record(name: str, number: str, **more: Any) -> dict[str, Any]:
    return INVOICE | {"external_id": name, "number": number} | more


def line(**more: Any) -> dict[str, Any]:
    return {"lines": [{"name": "a", "amount": "1"} | more]}


def put_all(caller: Caller, *records: dict[str, Any]) -> list[str]:
    """The results of a batch of invoices."""
    answer = caller.put("invoices", {"data": list(records)})
    assert answer.status_code == 200, answer.text
    return [row["result"] for row in answer.json["data"]]


def living(caller: Caller) -> list[str]:
    """The numbers of the invoices that are not voided."""
    rows = caller.inside(lambda: db.session.query(Invoice).filter_by(is_voided=False).all())
    return sorted(row.number for row in rows)


def test_who_is_refused_in_a_batch_keeps_its_number(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    caller.pay("50.00")
    assert put_all(caller, record("I-1", "A-1", voided=True), record("I-2", "A-1")) == ["refused", "refused"]
    assert living(caller) == ["A-1"]


def test_a_refusal_reaches_all_that_wait_for_a_number_of_the_one_before(caller: Caller) -> None:
    put_all(caller, *(record(f"I-{n}", f"A-{n}") for n in range(1, 5)))
    caller.inside(lambda: factories.payment((caller.row("A-1"), "50.00")) and db.session.commit())
    moved = [record(f"I-{n}", f"A-{n - 1}") for n in (4, 3, 2)]
    results = put_all(caller, *moved, record("I-1", "A-9", voided=True))
    assert results == ["refused"] * 4
    assert living(caller) == ["A-1", "A-2", "A-3", "A-4"]


def test_numbers_that_change_places_are_taken_and_one_that_stays_is_not_lost_to_a_new_one(
    caller: Caller,
) -> None:
    put_all(caller, record("I-1", "A-1"), record("I-2", "A-2"))
    assert put_all(caller, record("I-1", "A-2"), record("I-2", "A-1")) == ["changed", "changed"]
    assert living(caller) == ["A-1", "A-2"]
    assert put_all(caller, record("I-3", "A-1"), record("I-2", "A-1")) == ["refused", "unchanged"]
    assert living(caller) == ["A-1", "A-2"]


def test_a_credit_that_is_applied_is_not_voided(caller: Caller) -> None:
    credit = INVOICE | {"number": "C-1", "lines": [{"name": "Refund", "amount": "-40.00"}]}
    caller.put("invoices/I-1", credit)
    caller.put("invoices/I-2", INVOICE)

    def apply() -> None:
        credit, invoice = caller.row("C-1").id, caller.row().id
        new = NewApplication(credit, [(invoice, Decimal("30.00"))], date(2026, 11, 2))
        applying_credits.apply(factories.ACTOR, new)
        db.session.commit()

    caller.inside(apply)
    refused = caller.put("invoices/I-1", credit | {"voided": True})
    assert refused.json["errors"] == [
        {
            "pointer": "/voided",
            "detail": "30.00\xa0USD of this credit is applied to invoices. Take that back, then void it.",
        }
    ]
    assert not caller.inside(lambda: caller.row("C-1").is_voided)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (line(amount=f"{LARGEST}.5"), "/lines/0/amount"),
        (line(amount=f"-{LARGEST}.000001"), "/lines/0/amount"),
        (line(amount=LARGEST, tax="0.01"), "/lines/0/amount"),
        (line(tax=f"{LARGEST}.5"), "/lines/0/tax"),
        (line(quantity=f"{LARGEST}.5"), "/lines/0/quantity"),
        (line(rate=f"{LARGEST}.5"), "/lines/0/rate"),
        (line(amount=LARGEST, quantity="0.5"), "/lines/0/quantity"),
        ({"lines": [{"name": "a", "amount": LARGEST}, {"name": "b", "amount": "0.01"}]}, "/total"),
        ({"lines": [{"name": "a", "amount": LARGEST, "tax": "-1"}, {"name": "b", "amount": "1"}]}, "/total"),
        ({"lines": [{"name": n, "amount": f"-{LARGEST}", "tax": LARGEST} for n in "ab"]}, "/tax"),
        ({"lines": None, "total": f"{LARGEST}.5"}, "/total"),
        ({"lines": None, "total": LARGEST, "tax": "-1"}, "/total"),
        ({"lines": None, "total": "5", "tax": f"-{LARGEST}.5"}, "/tax"),
    ],
)
def test_more_than_can_be_stored_is_refused_and_the_rest_of_its_batch_is_not(
    caller: Caller, change: Any, pointer: str
) -> None:
    sent = {name: value for name, value in (record("I-1", "A-1") | change).items() if value is not None}
    answer = caller.put("invoices", {"data": [sent, record("I-2", "A-2")]})
    assert answer.status_code == 200
    assert [row["result"] for row in answer.json["data"]] == ["refused", "created"]
    assert f"/data/0{pointer}" in [one["pointer"] for one in answer.json["data"][0]["errors"]]


def test_the_most_that_can_be_stored_is_taken(caller: Caller) -> None:
    answer = caller.put("invoices/I-1", INVOICE | line(amount=LARGEST))
    assert (answer.status_code, answer.json["amount_due"]) == (201, f"{LARGEST}.00")


def test_a_rate_too_small_to_store_is_nothing(caller: Caller) -> None:
    answer = caller.put("invoices/I-1", INVOICE | line(amount="2.00", quantity="5000000"))
    assert [row["rate"] for row in answer.json["lines"]] == ["0"]


def test_a_missing_total_does_not_hide_what_is_wrong_with_the_tax(caller: Caller) -> None:
    bare = {name: value for name, value in INVOICE.items() if name != "lines"}
    assert sorted(pointers(caller.put("invoices/I-1", bare | {"tax": "x"}))) == ["/tax", "/total"]


def matched(caller: Caller, **values: Any) -> None:
    """The invoice A-1 has its twin in Autotask, which tells this portal of nothing but payments."""

    def match() -> None:
        row = caller.row()
        row.integration_id = factories.integration(caller.app, role=IntegrationRole.SECONDARY).id
        row.autotask_id = 77
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()

    caller.inside(match)


def test_a_matched_invoice_keeps_its_number(caller: Caller) -> None:
    """Else what was paid on one would be told of another in Autotask."""
    caller.put("invoices/I-1", INVOICE)
    matched(caller, autotask_number="AT-5")
    answer = caller.put("invoices/I-1", INVOICE | {"number": "A-2"})
    assert pointers(answer) == ["/number"]
    assert answer.json["errors"][0]["detail"].startswith("It is matched to an invoice of Autotask")
    for number in ("A-1", "AT-5", "77"):
        assert caller.put("invoices/I-1", INVOICE | {"number": number}).status_code == 200


def test_one_that_autotask_voided_stays_so_after_it_was_voided_here_too(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)
    matched(caller, is_voided=True, voided_on=date(2026, 11, 9))
    for voided in (True, False):
        assert caller.put("invoices/I-1", INVOICE | {"voided": voided}).json["status"] == "voided"


def test_a_customer_is_told_the_currency_of_its_invoices(caller: Caller) -> None:
    caller.put("invoices/I-1", INVOICE)

    def in_euro() -> None:
        caller.row().currency = "EUR"
        db.session.commit()

    caller.inside(in_euro)
    refused = caller.put("customers/C-1", CUSTOMER | {"currency": "GBP"})
    assert refused.json["errors"][0]["detail"] == "This customer has invoices in EUR; its currency stays."
    assert caller.put("customers/C-1", CUSTOMER | {"name": "Fabrikam Ltd"}).status_code == 200
    assert caller.put("customers/C-1", CUSTOMER | {"currency": "EUR"}).status_code == 200


def test_only_another_currency_asks_for_invoices(caller: Caller, asked: Any) -> None:
    def put(currency: str) -> int:
        sent = [CUSTOMER | {"external_id": "C-1", "currency": currency, "phone": currency}]
        statements = asked(lambda: caller.put("customers", {"data": sent}))
        return sum("FROM invoice" in statement for statement in statements)

    assert [put("USD"), put("EUR")] == [0, 1]


def test_a_currency_waits_for_the_invoice_that_is_being_made(
    caller: Caller, superuser: psycopg.Connection[Any]
) -> None:
    """Else the invoice would be in a currency that its customer has no more."""
    answers: list[Any] = []

    def put() -> None:
        answers.append(caller.put("customers/C-1", CUSTOMER | {"currency": "EUR"}))

    def make() -> Thread:
        customer = db.session.query(Customer).one()
        day = date(2026, 11, 1)
        own_records.create_invoice(
            factories.ACTOR, NewInvoice(customer.id, "P-1", day, None, Decimal("10.00"))
        )
        thread = Thread(target=put)
        thread.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        for _ in range(500):
            if not thread.is_alive() or superuser.execute(waits).fetchone() != (0,):
                break
            thread.join(0.01)
        db.session.commit()
        return thread

    caller.inside(make).join(20)
    assert pointers(answers[0]) == ["/currency"]
    assert caller.inside(lambda: db.session.query(Customer).one().currency) == "USD"
