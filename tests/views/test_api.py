"""The JSON API: keys, idempotency, paging, problems in words; closed to everybody else."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock
from portal.access import api_keys
from portal.access.api_keys import Scope
from portal.extensions import db
from portal.models import Customer, IdempotencyKey, Payment, Tenant
from portal.web import limits
from portal.web.api_description import DESCRIPTION
from portal.web.api_query import described_path
from tests import factories

PAYMENTS = "/api/v1/payments"
TODAY = clock.today("UTC").isoformat()


class Books:
    """A partner with one customer and an invoice over 100, and a caller that holds a key."""

    def __init__(self, app: Flask, slug: str = "northwind") -> None:
        self.app, self.browser = app, app.test_client()
        with app.app_context(), factories.inside(factories.tenant(slug=slug)):
            self.tenant_id = db.session.query(Tenant).filter_by(slug=slug).one().id
            customer = factories.customer(factories.integration(app))
            self.customer_id = customer.id
            self.invoice = factories.invoice(customer, "100.00", number="INV-1", autotask_id=777).id
            self.key_id, self.secret = self.make_key(list(Scope))

    def make_key(self, scopes: list[str]) -> tuple[int, str]:
        row, secret = api_keys.create(factories.ACTOR, "Checkout", scopes)
        db.session.commit()
        return row.id, secret

    def look(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context(), factories.inside(db.session.get_one(Tenant, self.tenant_id)):
            return work()

    def call(self, method: str, path: str, secret: str = "", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"} | more.pop("headers", {})
        return self.browser.open(path, method=method, headers=headers, **more)

    def pay(self, amount: Any = "40.00", key: str = "key-1", **more: Any) -> Any:
        body = {"allocations": [{"invoice_id": self.invoice, "amount": amount}], "paid_on": TODAY} | more
        return self.call("POST", PAYMENTS, json=body, headers={"Idempotency-Key": key})

    def payments(self) -> int:
        return int(self.look(lambda: db.session.query(Payment).count()))


@pytest.fixture
def books(app: Flask) -> Books:
    return Books(app)


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    rung: list[Any] = []
    monkeypatch.setattr("portal.queue.bell", lambda *arguments: rung.append(arguments))
    return rung


def test_a_payment_is_recorded_and_the_bell_rung(books: Books, bells: list[Any]) -> None:
    answer = books.pay("100.00", method="card", reference="ch_1")
    assert answer.status_code == 201
    assert (answer.json["amount"], answer.json["in_autotask"]) == ("100.00", "waiting")
    assert answer.json["allocations"][0]["autotask_id"] == 777
    assert answer.headers["Location"] == f"{PAYMENTS}/{answer.json['id']}"
    assert bells == [("deliveries", "jobs.deliver.deliver_due", books.tenant_id)]


def test_the_days_of_payments_have_one_rule(books: Books) -> None:
    today = clock.today("UTC")
    late = books.pay(paid_on=(today + timedelta(days=1)).isoformat())
    assert late.status_code == 422
    assert "is after today" in late.json["errors"][0]["detail"]
    old = (today - timedelta(days=366)).isoformat()
    asked = books.pay(paid_on=old)
    assert (asked.status_code, asked.json["errors"][0]["pointer"]) == (422, "/paid_on")
    assert "more than a year ago. Send confirm_old_date: true if that is right." in asked.json["detail"]
    assert books.pay(paid_on=old, confirm_old_date="yes").status_code == 422
    assert books.pay(paid_on=old, confirm_old_date=True).json["paid_on"] == old
    assert books.payments() == 1
    assert "confirm_old_date" in DESCRIPTION["components"]["schemas"]["NewPayment"]["properties"]


def test_perhaps_the_same_money_is_named_in_every_answer(books: Books) -> None:
    first = books.pay("10.00", key="one").json
    assert first["possible_duplicate_of"] is None
    second = books.pay("10.00", key="two").json
    assert second["possible_duplicate_of"] == first["id"]
    assert books.pay("11.00", key="three").json["possible_duplicate_of"] is None
    listed = books.call("GET", PAYMENTS).json["data"]
    assert [row["possible_duplicate_of"] for row in listed] == [None, first["id"], None]
    books.call("DELETE", f"{PAYMENTS}/{first['id']}", json={"reason": "Twice"})
    assert books.call("GET", f"{PAYMENTS}/{second['id']}").json["possible_duplicate_of"] is None


def test_the_same_key_gives_the_first_answer_to_the_letter(books: Books) -> None:
    """Rule 5.2."""
    first = books.pay()
    books.call("DELETE", f"{PAYMENTS}/{first.json['id']}", json={"reason": "Refunded"})
    again = books.pay()
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert books.payments() == 1


def test_the_same_key_with_another_body_is_refused(books: Books) -> None:
    """Rule 5.2."""
    books.pay()
    answer = books.pay("41.00")
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"] == "Idempotency-Key used before"
    assert books.payments() == 1


def test_keys_of_two_partners_do_not_meet(app: Flask, books: Books) -> None:
    other = Books(app, "contoso")
    assert books.pay().status_code == 201
    assert other.pay().status_code == 201
    assert other.pay(key="key-2", amount="1.00").json["id"] != books.pay().json["id"]


def test_a_refused_payment_leaves_its_key_unused(books: Books) -> None:
    assert books.pay("100.01").status_code == 422
    assert books.look(lambda: db.session.query(IdempotencyKey).count()) == 0
    assert books.pay("100.00").status_code == 201


@pytest.mark.parametrize(
    "amount", ["0", "-1", "0.001", "NaN", "Infinity", "1e2", "1,5", "100.01", 40, 1.5, None, True, "٣"]
)
def test_amounts_that_are_none_are_refused_with_their_field(books: Books, amount: Any) -> None:
    answer = books.pay(amount)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/allocations/0/amount"
    assert books.payments() == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, "/allocations"),
        ({"allocations": [{}]}, "/allocations/0"),
        ({"allocations": [{"invoice_id": 1, "autotask_id": 2, "amount": "1.00"}]}, "/allocations/0"),
        ({"allocations": [{"invoice_id": 2**63, "amount": "1.00"}]}, "/allocations/0"),
        ({"allocations": [{"autotask_id": 5, "amount": "1.00"}], "paid_on": TODAY}, "/allocations/0"),
        ({"allocations": "x", "paid_on": "19.11.2026"}, "/paid_on"),
        ({"amount": "1.00"}, "/amount"),
        ({"method": "barter"}, "/method"),
        ({"reference": "x" * 501}, "/reference"),
    ],
)
def test_every_fault_of_a_body_names_its_field(books: Books, body: Any, pointer: str) -> None:
    answer = books.call("POST", PAYMENTS, json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]


def test_what_is_no_text_is_refused_with_the_name_of_its_field(books: Books) -> None:
    answer = books.call("POST", PAYMENTS, json={"note": "a\0b"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 400
    assert "such as a NUL or half of a surrogate pair: /note." in answer.json["detail"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"json": {}}, 400),
        ({"json": {}, "headers": {"Idempotency-Key": "x" * 201}}, 400),
        ({"data": "{", "headers": {"Idempotency-Key": "k", "Content-Type": "application/json"}}, 400),
        ({"data": "a=1", "headers": {"Idempotency-Key": "k"}}, 415),
    ],
)
def test_a_request_that_cannot_be_read_is_a_problem_in_words(books: Books, more: Any, status: int) -> None:
    answer = books.call("POST", PAYMENTS, **more)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": 1,}', "The body is no JSON: it cannot be read from character 8 on."),
        (b"", "The body is no JSON: it cannot be read from character 1 on."),
        (b'{"paid_on": 1, "note": {"a": 1, "a": 2}}', "An object in the body names “a” twice. Send it once."),
        (b"\xff\xfe{", "The body is no JSON: it is no UTF-8, or holds a number that is too long."),
    ],
)
def test_a_body_that_is_no_json_says_where_it_fails(books: Books, body: bytes, words: str) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = books.call("POST", PAYMENTS, data=body, headers=headers)
    assert (answer.status_code, answer.json["detail"]) == (400, words)


def test_a_body_of_which_the_end_did_not_come_is_not_taken(books: Books) -> None:
    """As gunicorn hands it on: what came may be JSON all the same."""
    body = b'{"name": "Fabrikam", "currency": "USD"}'
    cut = {"CONTENT_LENGTH": str(len(body) + 9), "wsgi.input_terminated": True}
    answer = books.call(
        "PUT", "/api/v1/customers/C-17", data=body, content_type="application/json", environ_overrides=cut
    )
    assert (answer.status_code, answer.json["detail"][:45]) == (
        400,
        "The body ended before all of it had come. Not",
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("DELETE", f"{PAYMENTS}/9223372036854775808", 404, "No such record"),
        ("GET", "/api/v1/customers/9", 404, "No such record"),
        ("PATCH", "/api/v1/customers", 405, "Not possible at this address"),
        ("GET", "/api/v1/nothing", 404, "No such record"),
    ],
)
def test_refusals_of_the_api_speak_of_no_pages(
    books: Books, method: str, path: str, status: int, title: str
) -> None:
    answer = books.call(method, path)
    assert (answer.status_code, answer.json["title"]) == (status, title)
    assert "page" not in answer.json["detail"]


def test_of_several_invoices_the_one_at_fault_is_pointed_at(books: Books) -> None:
    def other() -> int:
        return factories.invoice(
            db.session.get_one(Customer, (books.tenant_id, books.customer_id)), "5.00"
        ).id

    parts = [
        {"invoice_id": books.invoice, "amount": "1.00"},
        {"invoice_id": books.look(other), "amount": "6.00"},
    ]
    answer = books.pay(allocations=parts)
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/allocations/1/amount"]
    paid = books.pay("40.00").json["id"]
    for amount in ("41.00", "0"):
        back = {
            "kind": "refunded",
            "on": TODAY,
            "allocations": [{"invoice_id": books.invoice, "amount": amount}],
        }
        headers = {"Idempotency-Key": "back"}
        answer = books.call("POST", f"{PAYMENTS}/{paid}/events", json=back, headers=headers)
        assert [fault["pointer"] for fault in answer.json["errors"]] == ["/allocations/0/amount"]


def test_an_invoice_is_named_by_its_autotask_id_too(books: Books) -> None:
    body = {"allocations": [{"autotask_id": 777, "amount": "5.00"}], "paid_on": TODAY}
    assert books.call("POST", PAYMENTS, json=body, headers={"Idempotency-Key": "k"}).status_code == 201


def test_a_payment_is_deleted_once_with_a_reason(books: Books) -> None:
    url = f"{PAYMENTS}/{books.pay().json['id']}"
    assert books.call("DELETE", url).status_code == 422
    assert books.call("DELETE", url, json={"reason": 5}).status_code == 422
    gone = books.call("DELETE", url, json={"reason": "Refunded"})
    assert (gone.status_code, gone.json["state"]) == (200, "deleted")
    assert books.call("DELETE", url, json={"reason": "Refunded"}).status_code == 409


def test_a_deletion_repeated_while_the_first_is_under_way_is_told_that_it_is_done(
    books: Books, superuser_url: str
) -> None:
    """D10: a checkout that lost patience asks again; both have read the payment before either deleted it."""
    payment_id = books.pay().json["id"]
    with psycopg.connect(superuser_url) as first, ThreadPoolExecutor(1) as threads:
        first.execute("UPDATE payment SET deleted_at = now(), deleted_reason = 'Refunded'")
        second = threads.submit(books.call, "DELETE", f"{PAYMENTS}/{payment_id}", json={"reason": "Refunded"})
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        for _ in range(600):
            if second.done() or first.execute(waits).fetchone() != (0,):
                break
            time.sleep(0.05)
        first.commit()
        assert second.result().status_code == 409


def test_the_cursor_goes_through_every_row_once(books: Books) -> None:
    def more() -> None:
        customer = db.session.get_one(Customer, (books.tenant_id, books.customer_id))
        for _ in range(6):
            factories.invoice(customer)
            customer = db.session.get_one(Customer, (books.tenant_id, books.customer_id))

    books.look(more)
    seen, url = [], "/api/v1/invoices?limit=3"
    for _ in range(3):
        page = books.call("GET", url).json
        seen += [row["id"] for row in page["data"]]
        url = f"/api/v1/invoices?limit=3&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == sorted(set(seen))
    assert len(seen) == 7


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=-1",
        "cursor=9" + "9" * 30,
        "status=odd",
        "customer_id=x",
        "external_id=",
        "number=%20",
    ],
)
def test_a_query_that_cannot_be_read_is_a_problem(books: Books, query: str) -> None:
    answer = books.call("GET", f"/api/v1/invoices?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_customers_and_invoices_can_be_read(books: Books) -> None:
    assert books.call("GET", "/api/v1/customers").json["data"][0]["id"] == books.customer_id
    assert books.call("GET", f"/api/v1/customers/{books.customer_id}").json["currency"] == "USD"
    assert books.call("GET", "/api/v1/invoices?status=open").json["data"][0]["outstanding"] == "100.00"
    assert books.call("GET", f"/api/v1/invoices/{books.invoice}").json["lines"] == []


@pytest.mark.parametrize("kind", ["customers", "invoices", "payments"])
@pytest.mark.parametrize("number", ["99999999999999999999", "9223372036854775808", "-1", "abc", "%00", "0"])
def test_what_is_no_number_of_a_record_names_none(books: Books, kind: str, number: str) -> None:
    answer = books.call("GET", f"/api/v1/{kind}/{number}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_strangers_rows_do_not_exist(app: Flask, books: Books) -> None:
    other = Books(app, "contoso")
    theirs = other.pay().json["id"]
    for path in (f"payments/{theirs}", f"invoices/{other.invoice}", f"customers/{other.customer_id}"):
        answer = books.call("GET", f"/api/v1/{path}")
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert books.call("DELETE", f"{PAYMENTS}/{theirs}", json={"reason": "x"}).status_code == 404
    sneaky = {"allocations": [{"invoice_id": other.invoice, "amount": "1.00"}], "paid_on": TODAY}
    assert books.call("POST", PAYMENTS, json=sneaky, headers={"Idempotency-Key": "k"}).status_code == 422
    assert [row["id"] for row in books.call("GET", "/api/v1/invoices").json["data"]] == [books.invoice]


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer portal_wrong", "Basic cG9ydGFsXw==", "Bearer x"])
def test_without_a_valid_key_nothing_is_told(books: Books, header: str) -> None:
    answer = books.browser.get("/api/v1/invoices", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    assert "INV-1" not in answer.text


def test_a_signed_in_browser_is_no_key(books: Books, log_in: Callable[..., FlaskClient]) -> None:
    with books.app.app_context():
        browser = log_in(db.session.get_one(Tenant, books.tenant_id))
    assert browser.get("/api/v1/invoices").status_code == 401


def test_a_key_does_what_its_scopes_say_until_it_is_revoked(books: Books) -> None:
    key_id, secret = books.look(lambda: books.make_key([Scope.READ]))
    assert books.call("GET", "/api/v1/invoices", secret).status_code == 200
    assert books.call("POST", PAYMENTS, secret, json={}).status_code == 403
    books.look(lambda: revoked(key_id))
    assert books.call("GET", "/api/v1/invoices", secret).status_code == 401


def revoked(key_id: int) -> None:
    api_keys.revoke(factories.ACTOR, key_id)
    db.session.commit()


def test_the_secret_is_kept_as_a_hash_only(books: Books, superuser: Any) -> None:
    dump = superuser.execute("SELECT string_agg(k::text, '') FROM api_key k").fetchone()[0]
    log = superuser.execute("SELECT string_agg(a::text, '') FROM audit_event a").fetchone()[0]
    assert books.secret[20:] not in dump + log


def test_the_log_names_the_key_that_paid(books: Books, log_in: Callable[..., FlaskClient]) -> None:
    """Rule 7.4: who did it is never just "the API"."""
    books.pay()
    with books.app.app_context():
        tenant = db.session.get_one(Tenant, books.tenant_id)
        shown = log_in(tenant).get(f"/p/{tenant.slug}/activity").text
    assert f"API key Checkout ({books.secret[:14]}…)" in shown
    assert books.secret[:16] not in shown


def test_more_than_the_rate_is_told_to_wait(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """One rate for all that a key asks for."""
    monkeypatch.setattr(limits, "API_KEY", limits.API_KEY._replace(tries=2))
    paths = ("/api/v1/customers", "/api/v1/invoices", "/api/v1/payments")
    answers = [books.call("GET", path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    told = [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers]
    assert told == ['"key";r=1', '"key";r=0', '"key";r=0']
    assert answers[0].headers["RateLimit-Policy"] == '"key";q=2;w=60'
    assert "At most 2 requests a minute with one key. Try again in" in answers[2].json["detail"]
    assert answers[2].mimetype == "application/problem+json"


def test_many_wrong_keys_from_an_address_are_told_to_wait_and_a_right_one_is_not(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "API_ADDRESS", limits.API_ADDRESS._replace(tries=2))
    wrong = {"Authorization": f"Bearer {books.secret[:-1]}"}
    answers = [books.app.test_client().get("/api/v1/payments", headers=wrong) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert books.call("GET", "/api/v1/payments").status_code == 200


def test_a_repetition_with_another_key_that_may_not_read_tells_only_that_it_was_recorded(
    books: Books,
) -> None:
    first = books.pay()
    for scopes, status in (["payments.write"], 403), (["payments.write", "read"], 201):
        _, secret = books.look(lambda scopes=scopes: books.make_key(scopes))
        body = {"allocations": [{"invoice_id": books.invoice, "amount": "40.00"}], "paid_on": TODAY}
        again = books.call("POST", PAYMENTS, secret, json=body, headers={"Idempotency-Key": "key-1"})
        assert again.status_code == status
    assert books.payments() == 1
    only_writes = books.look(lambda: books.make_key(["payments.write"]))[1]
    told = books.call("POST", PAYMENTS, only_writes, json=body, headers={"Idempotency-Key": "key-1"}).json
    assert told["payment_id"] == first.json["id"]
    assert not {"allocations", "amount", "in_autotask"} & set(told)
    own = books.call("POST", PAYMENTS, only_writes, json=body, headers={"Idempotency-Key": "key-2"})
    repeated = books.call("POST", PAYMENTS, only_writes, json=body, headers={"Idempotency-Key": "key-2"})
    assert repeated.json == own.json


def test_answers_of_the_api_are_kept_by_nobody(books: Books) -> None:
    assert books.call("GET", PAYMENTS).headers["Cache-Control"] == "no-store"
    assert books.app.test_client().get(PAYMENTS).headers["Cache-Control"] == "no-store"


def test_the_description_names_every_route_and_no_other(app: Flask) -> None:
    described = {
        (path, method)
        for path, item in DESCRIPTION["paths"].items()
        for method in item
        if method != "parameters"
    }
    routed = {
        (described_path(str(rule)), method.lower())
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "access", "") == "api"
        for method in rule.methods or set()
        if method not in ("HEAD", "OPTIONS")
    }
    assert described == routed


def test_no_two_addresses_of_the_description_differ_by_a_name_alone() -> None:
    """OpenAPI calls such templates identical, and programs that read it lose one of the two."""
    paths = [re.sub(r"{.*?}", "{}", path) for path in DESCRIPTION["paths"]]
    assert sorted(paths) == sorted(set(paths))


def test_the_description_and_its_page_are_served(app: Flask, client: FlaskClient) -> None:
    assert client.get("/api/v1/openapi.json").get_json()["openapi"] == "3.1.0"
    page = client.get("/api/v1/docs").text
    assert "Idempotency-Key" in page
    assert "<code>data[].lines[].name</code>: text of up to 500 characters, needed." in page
    assert "<code>currency</code>: text, like USD, needed." in page
    assert page.count("No key, or one that is not valid any more.") == 1
    assert page.count("There is no such row") == 8
    assert "<code>confirm_old_date</code>: true or false. Send true for" in page
