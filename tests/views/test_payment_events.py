"""What became of a payment, by the form and by the API: once, in words, and told to Autotask."""

import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import api_keys
from portal.access.api_keys import Scope
from portal.extensions import db
from portal.models import Invoice, Payment, Tenant
from tests import factories
from tests.reading import words_of

AT = "/p/northwind/payments"


@pytest.fixture(autouse=True)
def on_24_november(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda _: date(2026, 11, 24))


class Books:
    """Invoices over 100 and 50, a clerk, and a caller with a key."""

    def __init__(self, app: Flask, log_in: Callable[..., FlaskClient]) -> None:
        self.app = app
        with app.app_context():
            with factories.inside(factories.tenant(slug="northwind")):
                customer = factories.customer(factories.integration(app))
                self.invoices = [
                    factories.invoice(customer, amount, number=f"INV-{amount}").id for amount in ("100", "50")
                ]
                _, self.secret = api_keys.create(factories.ACTOR, "Checkout", list(Scope))
                db.session.commit()
            self.clerk = log_in(self.partner, "clerk")

    @property
    def partner(self) -> Tenant:
        return db.session.query(Tenant).filter_by(slug="northwind").one()

    def paid(self, *amounts: str, **values: Any) -> int:
        with self.app.app_context(), factories.inside(self.partner):
            rows = [db.session.query(Invoice).filter_by(id=one).one() for one in self.invoices]
            return factories.payment(*zip(rows, amounts, strict=False), method="ach", **values).id

    def send(self, payment_id: int, **typed: str) -> Any:
        page = self.clerk.get(f"{AT}/{payment_id}/happened").text
        key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
        assert key is not None
        return self.clerk.post(
            f"{AT}/{payment_id}/happened", data={"key": key[1], "on": "2026-11-24"} | typed
        )

    def call(self, path: str, key: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": key}
        return self.clerk.post(f"/api/v1/payments{path}", json=body, headers=headers)

    def state(self, payment_id: int) -> tuple[str, str]:
        with self.app.app_context(), factories.inside(self.partner):
            row = db.session.query(Payment).filter_by(id=payment_id).one()
            return str(row.state), format(row.amount, ".2f")


@pytest.fixture
def books(app: Flask, log_in: Callable[..., FlaskClient]) -> Books:
    return Books(app, log_in)


def test_money_on_its_way_is_recorded_seen_and_arrives(books: Books) -> None:
    form = books.clerk.get(f"{AT}/new?invoice={books.invoices[0]}").text
    assert "Autotask hears of ACH once it has arrived, of the rest at once." in words_of(form)
    key = re.search(r'name="key"[^>]* value="([^"]+)"', form)
    assert key is not None
    typed = {
        "key": key[1],
        "invoice": str(books.invoices[0]),
        "currency": "USD",
        "amount": "100",
        "method": "ach",
    }
    sent = books.clerk.post(AT, data=typed | {"paid_on": "2026-11-19", "pending": "y"})
    page = words_of(books.clerk.get(sent.location).text)
    assert "Its money is still on its way. Autotask is told once it has arrived." in page
    assert "Money on its way" in words_of(books.clerk.get(f"{AT}?show=pending").text)
    invoice = words_of(books.clerk.get(f"/p/northwind/invoices/{books.invoices[0]}").text)
    assert "Autotask is told once the money on its way has arrived." in invoice
    payment_id = int(sent.location.rpartition("/")[2])
    assert books.send(payment_id, kind="settled").status_code == 303
    page = words_of(books.clerk.get(sent.location).text)
    assert "Its money arrived on 24 Nov 2026" in page
    assert "on its way to Autotask" in page or "sent to Autotask" in page


def test_a_part_refund_opens_the_invoice_that_is_said_and_a_form_sent_twice_refunds_once(
    books: Books,
) -> None:
    payment_id = books.paid("100", "50")
    page = books.clerk.get(f"{AT}/{payment_id}/happened").text
    key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
    assert key is not None
    typed = {"key": key[1], "kind": "refunded", "on": "2026-11-24", f"part-{books.invoices[0]}": "30.00"}
    for _ in range(2):
        assert books.clerk.post(f"{AT}/{payment_id}/happened", data=typed).status_code == 303
    assert books.state(payment_id) == ("part_refunded", "120.00")
    shown = words_of(books.clerk.get(f"{AT}/{payment_id}").text)
    assert "Payment of 150.00" in shown
    assert "30.00 USD refunded on 24 Nov 2026" in shown
    other = books.clerk.post(f"{AT}/{payment_id}/happened", data=typed | {"amount": "1"})
    assert (other.status_code, books.state(payment_id)[1]) == (422, "120.00")


def test_the_last_refund_sent_twice_refunds_once_and_asks_nothing(books: Books) -> None:
    """Its invoices are no longer offered when the form comes again: what was sent is compared."""
    payment_id = books.paid("100", "50")
    page = books.clerk.get(f"{AT}/{payment_id}/happened").text
    key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
    assert key is not None
    parts = {f"part-{one}": amount for one, amount in zip(books.invoices, ("100", "50"), strict=True)}
    typed = {"key": key[1], "kind": "refunded", "on": "2026-11-24"} | parts
    for _ in range(2):
        assert books.clerk.post(f"{AT}/{payment_id}/happened", data=typed).status_code == 303
    assert books.state(payment_id) == ("refunded", "150.00")
    changed = books.clerk.post(f"{AT}/{payment_id}/happened", data=typed | {f"part-{books.invoices[0]}": "9"})
    said = words_of(changed.text)
    assert (changed.status_code, "This form already recorded something." in said) == (422, True)
    assert "Nothing more can become of it: none of it counts any more." in said


def test_who_may_not_record_more_is_told_whom_to_ask(
    books: Books, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]
) -> None:
    payment_id = books.paid("100")
    with books.app.app_context():
        log_in(books.partner, "owner")
        support = visit(books.partner, acts=True)
    said = words_of(support.get(f"{AT}/{payment_id}/happened").text)
    assert "You may not record more of it. Ask an owner or manager." in said
    assert "none of it counts" not in said


def test_a_deleted_payment_is_said_to_be_deleted_and_nothing_of_it_on_its_way(books: Books) -> None:
    payment_id = books.paid("60", pending=True)
    sent = books.clerk.post(f"{AT}/{payment_id}/delete", data={"reason": "typed wrongly"})
    assert sent.status_code == 303
    page = words_of(books.clerk.get(f"{AT}/{payment_id}").text)
    assert ("on its way" in page, "Deleted." in page) == (False, True)
    asked = words_of(books.clerk.get(f"{AT}/{payment_id}/delete").text)
    assert "It was already deleted on" in asked
    ended = books.paid("40")
    books.send(ended, kind="refunded")
    asked = words_of(books.clerk.get(f"{AT}/{ended}/delete").text)
    assert ("already deleted" in asked, "40.00 USD refunded on 24 Nov 2026." in asked) == (False, True)


def test_a_deletion_names_no_invoice_of_which_all_was_refunded(books: Books) -> None:
    payment_id = books.paid("100", "50")
    books.send(payment_id, kind="refunded", amount="50")
    asked = words_of(books.clerk.get(f"{AT}/{payment_id}/delete").text)
    assert "INV-100 is open here again by 100.00 USD" in asked
    assert "INV-50" not in asked


def test_what_was_typed_wrongly_stays_with_a_sentence_beside_it(books: Books) -> None:
    payment_id = books.paid("100", "50")
    for typed, said in (
        ({}, "Choose what happened."),
        ({"kind": "settled"}, "Choose what happened."),
        ({"kind": "refunded", "amount": "151"}, "still counts"),
        ({"kind": "refunded", "amount": "x"}, "amount"),
        ({"kind": "refunded", "amount": "9", f"part-{books.invoices[0]}": "8"}, "does not add up"),
        ({"kind": "failed", "on": "2026-11-18"}, "before the payment"),
        ({"kind": "failed", "on": "never"}, "such as"),
    ):
        answer = books.send(payment_id, **typed)
        assert (answer.status_code, said in words_of(answer.text)) == (422, True), typed
    assert books.state(payment_id) == ("recorded", "150.00")
    assert books.send(payment_id, kind="charged_back", reason="stolen card").status_code == 303
    assert "Nothing more can become of it" in books.clerk.get(f"{AT}/{payment_id}/happened").text
    listed = words_of(books.clerk.get(f"{AT}?show=deleted").text)
    assert "Charged back" in listed


def test_the_api_tells_what_became_of_a_payment_once(books: Books) -> None:
    body = {"allocations": [{"invoice_id": books.invoices[0], "amount": "100.00"}], "paid_on": "2026-11-19"}
    made = books.call("", "k1", **body, method="ach", pending=True).json
    assert (made["state"], made["in_autotask"], made["events"]) == ("pending", "not_needed", [])
    at = f"/{made['id']}/events"
    first = books.call(at, "k2", kind="settled", on="2026-11-23")
    again = books.call(at, "k2", kind="settled", on="2026-11-23")
    assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (first.json["state"], first.json["settled_on"]) == ("settled", "2026-11-23")
    assert first.json["in_autotask"] == "waiting"
    assert books.call(at, "k2", kind="settled", on="2026-11-24").status_code == 422
    assert books.call(at, "k3", kind="settled", on="2026-11-24").status_code == 409
    part = books.call(at, "k4", kind="refunded", on="2026-11-24", amount="30.00", reason="less").json
    assert (part["state"], part["amount"], part["recorded_amount"]) == ("part_refunded", "70.00", "100.00")
    assert part["events"][1]["allocations"] == [{"invoice_id": books.invoices[0], "amount": "30.00"}]
    for wrong in (
        {"kind": "gone"},
        {"on": "soon"},
        {"amount": 5},
        {"kind": "settled", "amount": "1.00"},
        {"x": 1},
    ):
        answer = books.call(at, "k5", **{"kind": "failed", "on": "2026-11-24"} | wrong)
        assert (answer.status_code, bool(answer.json["errors"])) == (422, True), wrong
    assert books.call(at, "", kind="failed", on="2026-11-24").status_code == 400
    assert books.call("/99/events", "k6", kind="failed", on="2026-11-24").status_code == 404


def test_a_file_says_what_became_of_payments_all_together_or_not_at_all(books: Books) -> None:
    first = books.paid("60", pending=True, reference="batch-7/1")
    second = books.paid("40", "50", reference="batch-7/2")
    at = f"{AT}/happened/upload"

    def look(words: str) -> Any:
        file = (io.BytesIO(words.encode()), "bank.csv")
        return books.clerk.post(at, data={"file": file, "order": "month"})

    heading = "Reference,Payment ID,What happened,Date,Amount,Reason\n"
    faulty = look(
        heading
        + f"batch-7/1,,failed,2026-11-24,,R01\n,{first},settled,2026-11-24,,\nnobody,,failed,2026-11-24,,\n"
        ",,failed,2026-11-24,,\nbatch-7/2,,gone,2026-11-24,,\n,9999999,refunded,11/18/2026,x,\n"
    )
    said = words_of(faulty.text)
    for words in (
        "Row 2 is about the same payment",
        "There is no such payment",
        "Say which payment",
        "charged back.",
    ):
        assert words in said
    assert "Say what happened: arrived, failed, refunded or charged back." in said
    assert "Record 6 rows" not in said
    assert "1 row ready to record: 1 arrived." in words_of(
        look(heading + f",{first},settled,2026-11-24,,\n").text
    )
    assert "settled" not in words_of(books.clerk.get(at).text)
    good = heading + "batch-7/1,,Returned,2026-11-24,,R01\nbatch-7/2,,refunded,11/24/2026,-55.00,half\n"
    page = look(good).text
    assert "2 rows ready to record: 1 failed, 1 refunded" in words_of(page)
    key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
    assert key is not None
    data = {"key": key[1], "words": good, "order": "month"}
    assert [books.clerk.post(f"{at}/record", data=data).status_code for _ in range(2)] == [303, 303]
    assert (books.state(first), books.state(second)) == (("failed", "60.00"), ("part_refunded", "35.00"))
    again = books.clerk.post(f"{at}/record", data=data | {"key": key[1][::-1]})
    assert (again.status_code, "This payment failed already." in words_of(again.text)) == (422, True)


def test_a_file_of_payments_says_which_are_on_their_way(books: Books) -> None:
    words = "Invoice,Amount,Date,Method,State\nINV-100,60,2026-11-19,ach,Pending\nINV-50,10,2026-11-19,ach,\n"
    page = books.clerk.post(
        f"{AT}/upload", data={"file": (io.BytesIO(words.encode()), "ach.csv"), "order": "month"}
    ).text
    assert words_of(page).count("Money on its way") == 1
    key = re.search(r'name="key"[^>]* value="([^"]+)"', page)
    assert key is not None
    data = {"key": key[1], "words": words, "order": "month"}
    assert books.clerk.post(f"{AT}/upload/record", data=data).status_code == 303
    with books.app.app_context(), factories.inside(books.partner):
        recorded = db.session.query(Payment).order_by(Payment.id).all()
        assert [str(payment.state) for payment in recorded] == ["pending", "recorded"]


def test_the_partner_says_what_is_held_back(books: Books, log_in: Callable[..., FlaskClient]) -> None:
    with books.app.app_context():
        owner = log_in(books.partner, "owner")
    page = owner.get("/p/northwind/settings/partner").text
    assert re.search(r'<input[^>]*checked[^>]*name="held_methods"[^>]*value="ach"', page)
    typed = {"name": "Northwind", "default_currency": "USD", "date_format": "day_month_year",
             "number_format": "comma_point", "support_access": "view"}  # fmt: skip
    saved = owner.post("/p/northwind/settings/partner", data=typed | {"held_methods": ["check", "wire"]})
    assert saved.status_code == 303
    with books.app.app_context():
        assert books.partner.held_methods == ["check", "wire"]
    assert (
        owner.post("/p/northwind/settings/partner", data=typed | {"held_methods": ["gold"]}).status_code
        == 422
    )
