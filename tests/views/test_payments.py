"""Recording, following and deleting payments in the browser."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import AuditEvent, Delivery, Invoice, Payment
from tests import factories
from tests.reading import element, value, words_of

TODAY = clock.today("UTC").isoformat()
TOMORROW = (clock.today("UTC") + timedelta(days=1)).isoformat()
YESTERDAY = (clock.today("UTC") - timedelta(days=1)).isoformat()
OLD = (clock.today("UTC") - timedelta(days=366)).isoformat()


@dataclass
class Books:
    """A partner with one customer, who owes 100 (due first) and 50."""

    app: Flask
    customer_id: int
    first_id: int
    second_id: int

    def payments(self) -> list[Payment]:
        return self.look(lambda: list(db.session.scalars(scoped(Payment).order_by(Payment.id))))

    def outstanding(self, invoice_id: int) -> Decimal:
        return self.look(
            lambda: db.session.scalars(scoped(Invoice).where(Invoice.id == invoice_id)).one().outstanding
        )

    def look(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context(), factories.inside(self.tenant()):
            return work()

    def tenant(self) -> Any:
        from portal.models import Tenant

        return db.session.query(Tenant).filter_by(slug="northwind").one()


@pytest.fixture
def books(app: Flask) -> Books:
    with app.app_context(), factories.inside(factories.tenant(slug="northwind")):
        customer_id = factories.customer(factories.integration(app), name="Adatum").id
        from portal.models import Customer

        customer = db.session.query(Customer).one()
        first = factories.invoice(customer, "100.00", number="INV-1", due_on=clock.today("UTC"))
        first_id = first.id
        customer = db.session.query(Customer).one()
        second = factories.invoice(customer, "50.00", number="INV-2", due_on=None)
        return Books(app, customer_id, first_id, second.id)


@pytest.fixture
def clerk(app: Flask, books: Books, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    with app.app_context():
        partner = books.tenant()
    return log_in(partner, "clerk")


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr("portal.queue.bell", lambda *arguments: rung.append(arguments))
    return rung


def typed(books: Books, **values: str) -> dict[str, str]:
    usual = {
        "customer": str(books.customer_id), "key": "a-key-of-this-form", "amount": "120.00", "paid_on": TODAY,
        "method": "check", "reference": "", "note": "",
    }  # fmt: skip
    return usual | values


def test_the_form_offers_the_oldest_open_invoices_first(books: Books, clerk: FlaskClient) -> None:
    page = clerk.get(f"/p/northwind/payments/new?customer={books.customer_id}").text
    assert page.index("INV-1") < page.index("INV-2")
    assert "Adatum owes 150.00\N{NO-BREAK SPACE}USD on 2 open invoices." in page
    assert re.search(r'name="key"[^>]* value="[\w-]{32}"', page)


def test_the_invoice_that_was_asked_for_is_on_top_with_its_amount(books: Books, clerk: FlaskClient) -> None:
    page = clerk.get(f"/p/northwind/payments/new?invoice={books.second_id}").text
    assert page.index(">INV-2<") < page.index(">INV-1<")
    assert re.search(r'name="amount"[^>]* value="50.00"', page)


def test_money_goes_to_the_oldest_invoice_first_where_nothing_else_is_said(
    books: Books, clerk: FlaskClient, bells: list[tuple[Any, ...]]
) -> None:
    answer = clerk.post("/p/northwind/payments", data=typed(books, reference="Check 104"))
    assert answer.status_code == 303
    assert books.outstanding(books.first_id) == 0
    assert books.outstanding(books.second_id) == 30
    assert bells == [("deliveries", "jobs.deliver.deliver_due", bells[0][2])]
    page = clerk.get(answer.location).text
    assert "Payment of 120.00\N{NO-BREAK SPACE}USD recorded." in page
    assert "Autotask is being told now." in page


def test_typed_amounts_decide_which_invoices_are_paid(books: Books, clerk: FlaskClient) -> None:
    data = typed(books, amount="60", **{f"pay-{books.second_id}": "50", f"pay-{books.first_id}": "1,0.00"})
    assert clerk.post("/p/northwind/payments", data=data).status_code == 422
    data[f"pay-{books.first_id}"] = "10.00"
    assert clerk.post("/p/northwind/payments", data=data).status_code == 303
    assert books.payments()[0].amount == 60
    assert books.outstanding(books.second_id) == 0


@pytest.mark.parametrize("asked_for", [True, False])
def test_money_typed_for_an_invoice_that_was_paid_meanwhile_goes_to_no_other(
    books: Books, clerk: FlaskClient, asked_for: bool
) -> None:
    """An old tab: what was meant for one invoice is never recorded for the next one."""
    clerk.post("/p/northwind/payments", data=typed(books, amount="100"))
    old = typed(books, key="a-key-of-another-tab", amount="30.00", **{f"pay-{books.first_id}": "30.00"})
    if asked_for:
        old = typed(books, key="a-key-of-another-tab", amount="30.00", invoice=str(books.first_id))
        del old["customer"]
    answer = clerk.post("/p/northwind/payments", data=old)
    assert answer.status_code == 422
    assert "Invoice INV-1 is already paid. Nothing is owed on it." in answer.text
    assert "Nothing was recorded" in answer.text
    assert (books.outstanding(books.second_id), len(books.payments())) == (50, 1)
    assert f'name="customer" value="{books.customer_id}"' in answer.text

    again = typed(
        books, key="a-key-of-another-tab", amount="30.00", say_which=value(answer.text, "say_which")
    )
    assert "Type beside each invoice what goes to it." in clerk.post("/p/northwind/payments", data=again).text
    assert books.outstanding(books.second_id) == 50
    again[f"pay-{books.second_id}"] = "30.00"
    assert clerk.post("/p/northwind/payments", data=again).status_code == 303
    assert books.outstanding(books.second_id) == 20


def test_a_form_with_amounts_sent_twice_gives_its_first_answer(books: Books, clerk: FlaskClient) -> None:
    """Although the invoice that it paid is not offered any more."""
    data = typed(books, amount="100", **{f"pay-{books.first_id}": "100"})
    first, again = (clerk.post("/p/northwind/payments", data=data) for _ in range(2))
    assert (first.status_code, again.status_code, again.location) == (303, 303, first.location)
    assert len(books.payments()) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"amount": "0"}, "The amount must be more than zero."),
        ({"amount": "-1"}, "The amount must be more than zero."),
        ({"amount": "0.001"}, "USD amounts have at most 2 decimals."),
        ({"amount": "NaN"}, "Write the amount in digits, like 1234.50."),
        (
            {"amount": "150.01"},
            "This is more than the 150.00\N{NO-BREAK SPACE}USD still owed on open invoices.",
        ),
        ({"amount": ""}, "Enter the amount you received."),
        ({"paid_on": "tomorrow"}, "Enter the day the money was paid"),
        ({"paid_on": ""}, "Enter the day the money was paid."),
        ({"paid_on": "1066-10-14"}, "This date cannot be right."),
        ({"paid_on": TOMORROW}, "is after today"),
        ({"paid_on": OLD}, "is more than a year ago. Tick the box below if that is right."),
        ({"method": "barter"}, "Choose how the money was paid."),
        ({"key": ""}, "Something was lost on the way."),
        ({"reference": "x" * 501}, "Use at most 500 characters."),
    ],
)
def test_what_cannot_be_recorded_is_told_beside_its_field_and_stays_typed(
    books: Books, clerk: FlaskClient, values: dict[str, str], sentence: str
) -> None:
    answer = clerk.post("/p/northwind/payments", data=typed(books, note="a note to keep", **values))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "a note to keep" in answer.text
    assert books.payments() == []


@pytest.mark.parametrize("day", [TOMORROW, "0001-01-01", "1066-10-14"])
def test_a_refused_day_is_promised_nowhere(books: Books, clerk: FlaskClient, day: str) -> None:
    data = typed(books, amount="100.00", paid_on=day, **{f"pay-{books.first_id}": "100.00"})
    answer = clerk.post("/p/northwind/payments", data=data)
    assert answer.status_code == 422
    assert "as paid on" not in words_of(answer.text)


def test_a_day_that_is_only_asked_about_is_still_foretold(books: Books, clerk: FlaskClient) -> None:
    data = typed(books, amount="100.00", paid_on=OLD, **{f"pay-{books.first_id}": "100.00"})
    answer = clerk.post("/p/northwind/payments", data=data)
    assert "Tick the box below" in answer.text
    assert "as paid on" in words_of(answer.text)


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("120.00", "20.00 of the 120.00\N{NO-BREAK SPACE}USD is not allocated."),
        ("90.00", "The invoices take 10.00 more than the 90.00\N{NO-BREAK SPACE}USD above."),
        ("", "Enter the amount you received."),
    ],
)
def test_the_amount_is_what_was_typed_whatever_is_allocated(
    books: Books, clerk: FlaskClient, amount: str, sentence: str
) -> None:
    data = typed(books, amount=amount, **{f"pay-{books.first_id}": "100.00"})
    answer = clerk.post("/p/northwind/payments", data=data)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'name="amount" type="text" value="{amount}"' in answer.text
    assert 'value="100.00"' in answer.text
    assert books.payments() == []


def test_a_day_more_than_a_year_ago_is_taken_once_its_box_is_ticked(books: Books, clerk: FlaskClient) -> None:
    asked = clerk.post("/p/northwind/payments", data=typed(books, paid_on=OLD))
    box = element(asked.text, "[name=confirm_old_day]")
    assert (box["value"], box.has_attr("checked")) == (OLD, False)
    other = typed(books, paid_on=OLD, confirm_old_day="2020-01-01")
    assert clerk.post("/p/northwind/payments", data=other).status_code == 422
    ticked = typed(books, paid_on=OLD, confirm_old_day=OLD)
    assert clerk.post("/p/northwind/payments", data=ticked).status_code == 303
    assert [row.paid_on.isoformat() for row in books.payments()] == [OLD]


def test_the_same_customer_day_and_amount_again_is_asked_about_once(books: Books, clerk: FlaskClient) -> None:
    first = typed(books, amount="10.00", reference="Check 104")
    clerk.post("/p/northwind/payments", data=first)
    again = typed(books, amount="10.00", key="another-key-of-a-form")
    asked = clerk.post("/p/northwind/payments", data=again)
    assert asked.status_code == 422
    assert "by this customer is recorded already. Tick the box if this is other money." in asked.text
    assert "(Check 104)" in asked.text
    known = books.payments()[0].id
    assert (
        clerk.post("/p/northwind/payments", data=again | {"confirm_repeat": f"{known}0"}).status_code == 422
    )
    assert clerk.post("/p/northwind/payments", data=again | {"confirm_repeat": str(known)}).status_code == 303
    other_day = typed(books, amount="10.00", key="a-third-key-of-a-form", paid_on=YESTERDAY)
    assert clerk.post("/p/northwind/payments", data=other_day).status_code == 303
    assert len(books.payments()) == 3


def test_today_is_the_partners_own_day(
    books: Books, clerk: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 23:00 in UTC on the 1st it is the 2nd in Tokyo, and still the 1st in New York."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 1, 23, tzinfo=UTC))
    for zone, status in (("America/New_York", 422), ("Asia/Tokyo", 303)):
        books.look(lambda zone=zone: _move(books, zone))
        answer = clerk.post("/p/northwind/payments", data=typed(books, paid_on="2026-11-02"))
        assert answer.status_code == status, zone


def test_a_double_submit_records_one_payment(books: Books, clerk: FlaskClient) -> None:
    locations = {clerk.post("/p/northwind/payments", data=typed(books)).location for _ in range(2)}
    assert len(locations) == 1
    assert len(books.payments()) == 1


def test_two_submits_at_once_record_one_payment(
    app: Flask, books: Books, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        partner = books.tenant()
    browsers = [log_in(partner, "clerk"), log_in(partner, "owner")]
    statuses: list[int] = []
    presses = [
        Thread(
            target=lambda b=b: statuses.append(b.post("/p/northwind/payments", data=typed(books)).status_code)
        )
        for b in browsers
    ]
    for press in presses:
        press.start()
    for press in presses:
        press.join()
    assert statuses == [303, 303]
    assert len(books.payments()) == 1


def test_the_same_form_with_another_amount_is_not_a_second_payment(books: Books, clerk: FlaskClient) -> None:
    clerk.post("/p/northwind/payments", data=typed(books))
    answer = clerk.post("/p/northwind/payments", data=typed(books, amount="30.00"))
    assert answer.status_code == 422
    assert "already recorded a payment" in answer.text
    assert 'value="a-key-of-this-form"' not in answer.text
    assert len(books.payments()) == 1


def test_a_voided_or_foreign_invoice_takes_no_payment(app: Flask, books: Books, clerk: FlaskClient) -> None:
    with app.app_context(), factories.inside(factories.tenant()):
        theirs = factories.invoice(factories.customer()).id
    assert clerk.get(f"/p/northwind/payments/new?invoice={theirs}").status_code == 404
    assert (
        clerk.post("/p/northwind/payments", data=typed(books, customer="", invoice=str(theirs))).status_code
        == 404
    )
    sneaky = typed(books, amount="", **{f"pay-{theirs}": "1.00"})
    assert clerk.post("/p/northwind/payments", data=sneaky).status_code == 422
    for odd in ("0x1", "-1", "９", "1" * 30):
        assert clerk.get("/p/northwind/payments/new", query_string={"customer": odd}).status_code == 404


def test_an_invoice_that_is_no_longer_in_autotask_is_not_offered_and_says_what_to_do(
    books: Books, clerk: FlaskClient, superuser: Any
) -> None:
    superuser.execute("UPDATE invoice SET missing_since = now() WHERE number = 'INV-1'")
    page = clerk.get(f"/p/northwind/payments/new?customer={books.customer_id}").text
    assert "1 invoice is no longer in Autotask" in page
    assert f"pay-{books.first_id}" not in page
    assert "owes 50.00\N{NO-BREAK SPACE}USD on 1 open invoice." in page
    asked = clerk.get(f"/p/northwind/payments/new?invoice={books.first_id}").text
    assert "If it was deleted there, archive it here; if not, fetch the unpaid invoices again." in asked
    shown = clerk.get(f"/p/northwind/invoices/{books.first_id}").text
    assert "It takes no payment, because Autotask could not be told of it." in shown
    assert "payments/new?invoice=" not in shown
    superuser.execute("UPDATE invoice SET missing_since = now()")
    assert "Adatum" not in clerk.get("/p/northwind/payments/new").text


def test_deleting_asks_for_a_reason_and_says_what_it_means(
    books: Books, clerk: FlaskClient, bells: list[tuple[Any, ...]]
) -> None:
    location = clerk.post("/p/northwind/payments", data=typed(books)).location
    page = clerk.get(f"{location}/delete").text
    assert "Autotask will show it as unpaid again." in page
    refused = clerk.post(f"{location}/delete", data={"reason": " "})
    assert refused.status_code == 422
    assert "Say why the payment is deleted." in refused.text
    done = clerk.post(f"{location}/delete", data={"reason": "Bounced"})
    assert done.status_code == 303
    assert books.outstanding(books.first_id) == 100
    assert len(bells) == 2
    shown = clerk.get(location).text
    assert "Reason: Bounced" in shown
    again = clerk.post(f"{location}/delete", data={"reason": "Bounced"})
    assert again.status_code == 422
    assert "already deleted" in again.text


def test_the_timeline_tells_recorded_sent_confirmed_and_deleted_with_times(
    books: Books, clerk: FlaskClient
) -> None:
    location = clerk.post("/p/northwind/payments", data=typed(books, amount="100.00")).location
    books.look(lambda: _attempt(books.first_id))
    page = clerk.get(location).text
    for words in ("Recorded", "INV-1: sent to Autotask", "INV-1: confirmed in Autotask, paid on"):
        assert words in page
    clerk.post(f"{location}/delete", data={"reason": "Bounced"})
    books.look(lambda: _attempt(books.first_id))
    page = clerk.get(location).text
    assert "INV-1: confirmed in Autotask, unpaid again" in page
    assert page.index("Deleted") < page.index("unpaid again")


def test_both_people_stand_in_the_log(books: Books, clerk: FlaskClient) -> None:
    clerk.post("/p/northwind/payments", data=typed(books))
    events = books.look(lambda: list(db.session.scalars(scoped(AuditEvent))))
    assert [(e.event, e.source) for e in events] == [("payment.recorded", "web")]
    assert events[0].user_id == events[0].true_user_id is not None


def test_the_list_of_payments_asks_no_question_a_row(
    books: Books, clerk: FlaskClient, count_queries: Callable[..., int]
) -> None:
    clerk.post("/p/northwind/payments", data=typed(books, amount="1.00"))
    one = count_queries(lambda: clerk.get("/p/northwind/payments"))
    for number in range(6):
        amount = f"2.{number:02}"
        clerk.post(
            "/p/northwind/payments", data=typed(books, amount=amount, key=f"key-of-this-form-{number}")
        )
    assert count_queries(lambda: clerk.get("/p/northwind/payments")) == one


def test_payments_are_found_by_customer_reference_or_invoice(books: Books, clerk: FlaskClient) -> None:
    clerk.post("/p/northwind/payments", data=typed(books, amount="1.00", reference="Check 77"))
    for words, rows in (("adatum", 1), ("check 77", 1), ("inv-1", 1), ("inv-none", 0), ("%", 0)):
        page = clerk.get("/p/northwind/payments", query_string={"q": words}).text
        assert page.count('<th scope="row"><a') == rows, words


def _move(books: Books, zone: str) -> None:
    books.tenant().time_zone = zone
    db.session.commit()


def _attempt(invoice_id: int) -> None:
    from portal.models import DeliveryAttempt

    delivery = db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice_id)).one()
    now = clock.now()
    db.session.add(
        DeliveryAttempt(
            tenant_id=delivery.tenant_id, delivery_id=delivery.id, wish_version=delivery.wish_version,
            wish_paid_on=delivery.wish_paid_on, outcome="confirmed", started_at=now, finished_at=now,
            wrote=delivery.wish_paid_on.isoformat() if delivery.wish_paid_on else "null",
        )
    )  # fmt: skip
    delivery.state, delivery.sent_at, delivery.confirmed_at = "confirmed", now, now
    db.session.commit()
