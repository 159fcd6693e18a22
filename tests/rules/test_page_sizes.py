"""Every page, fragment and answer of the API stays small, however much there is of what it shows."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.access import api_keys
from portal.extensions import db
from portal.models import Tenant
from portal.queries import api
from tests import factories
from tests.browser import books
from tests.pages import rows_behind

MANY = 300
MOST_BYTES = 250_000
MOST_ROWS = 250
# What one record has many of; the books have one of each already.
MORE = {
    "unpaid invoices of a customer": """
        INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, issued_on, due_on, currency,
            total_raw, amount_due)
        SELECT tenant_id, integration_id, 7000000 + n, customer_id, 'MANY-' || n, issued_on, due_on, currency, 100, 100
        FROM invoice, generate_series(1, %(many)s) AS n WHERE id = %(open)s""",
    "credits of a customer": """
        INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, issued_on, currency, total_raw,
            amount_due)
        SELECT tenant_id, integration_id, 8000000 + n, customer_id, 'CRED-' || n, issued_on, currency, -100, -100
        FROM invoice, generate_series(1, %(many)s) AS n WHERE id = %(open)s""",
    "contacts of a customer": """
        INSERT INTO contact (tenant_id, customer_id, first_name, last_name, email, billing)
        SELECT tenant_id, customer_id, 'Mara', 'M' || n, 'm' || n || '@adatum.example', false
        FROM contact, generate_series(1, %(many)s) AS n WHERE last_name = 'Lindqvist'""",
    "lines of an invoice": """
        INSERT INTO invoice_line (tenant_id, integration_id, autotask_id, invoice_id, name, description, quantity, rate,
            price_raw, tax_raw, total_raw)
        SELECT tenant_id, integration_id, id * 1000000 + n, id, 'Line ' || n, 'As agreed', 1, 1, 1, 0, 1
        FROM invoice, generate_series(1, %(many)s) AS n WHERE id IN (%(open)s, %(paid)s)""",
    "invoices of a payment": """
        INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount)
        SELECT tenant_id, %(payment_waiting)s, id, 1 FROM invoice WHERE number LIKE 'MANY-%%'""",
    "payments of an invoice": """
        WITH made AS (
            INSERT INTO payment (tenant_id, customer_id, currency, amount, method, paid_on, deleted_at, deleted_reason)
            SELECT tenant_id, customer_id, currency, 1, 'check', paid_on, now(), 'Recorded twice'
            FROM payment, generate_series(1, %(many)s) WHERE id = %(payment_confirmed)s RETURNING tenant_id, id)
        INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount) SELECT tenant_id, id, %(paid)s, 1 FROM made""",
    "uses of a credit": """
        INSERT INTO credit_application (tenant_id, credit_invoice_id, invoice_id, amount, applied_on, recorded_at)
        SELECT tenant_id, %(credit)s, id, 1, issued_on, now() FROM invoice WHERE number LIKE 'MANY-%%'""",
    "tries of a delivery": """
        INSERT INTO delivery_attempt (tenant_id, delivery_id, wish_version, outcome, started_at, finished_at)
        SELECT tenant_id, id, 1, 'retry', now(), now() FROM delivery, generate_series(1, %(many)s)
        WHERE invoice_id = %(stuck)s""",
    "changes of a run": """
        INSERT INTO sync_change (tenant_id, run_id, subject_type, subject_id, label, field, old_value, new_value, at)
        SELECT tenant_id, run_id, 'invoice', id, number, 'Comments', '1', '2', now()
        FROM invoice JOIN (SELECT min(id) AS run_id FROM sync_run) AS run ON true WHERE number LIKE 'MANY-%%'""",
    "API keys of a partner": """
        INSERT INTO api_key (tenant_id, name, prefix, token_hash, scopes)
        SELECT %(partner)s, 'Key ' || n, 'pk' || n, n::text::bytea, '{read}' FROM generate_series(1, %(many)s) AS n""",
}


# People, and what they have many of; `owner` is the person who looks.
PEOPLE = {
    "people of a partner": """
        WITH made AS (
            INSERT INTO app_user (email, name, password_hash)
            SELECT 'p' || n || '@harbour.example', 'Person ' || n, 'x' FROM generate_series(1, %(many)s) AS n RETURNING id)
        INSERT INTO membership (tenant_id, user_id, role) SELECT %(partner)s, id, 'clerk' FROM made""",
    "people who lost their factors": """
        INSERT INTO factor_reset (user_id, asked_hash) SELECT id, id::text::bytea FROM app_user WHERE email LIKE 'p%%@harbour%%'""",
    "staff": """
        INSERT INTO app_user (email, name, password_hash, is_staff)
        SELECT 's' || n || '@portal.example', 'Staff ' || n, 'x', true FROM generate_series(1, %(many)s) AS n""",
    "browsers of a person": """
        INSERT INTO login_session (token_hash, user_id, proved_at, factor_at)
        SELECT (who || ' ' || n)::bytea, who, now(), now()
        FROM generate_series(1, %(many)s) AS n, unnest(ARRAY[%(owner)s, %(admin)s]::bigint[]) AS who""",
    "what happened to a person": """
        INSERT INTO security_event (user_id, kind)
        SELECT who, 'login.started' FROM generate_series(1, %(many)s), unnest(ARRAY[%(owner)s, %(admin)s]::bigint[]) AS who""",
    "partners of a person": """
        WITH made AS (
            INSERT INTO tenant (slug, name) SELECT 'more-' || n, 'More ' || n FROM generate_series(1, %(many)s) AS n
            RETURNING id)
        INSERT INTO membership (tenant_id, user_id, role) SELECT id, %(owner)s, 'owner' FROM made""",
    "notices": """
        INSERT INTO notice (tenant_id, kind, cause, words, path)
        SELECT %(partner)s, 'people', 'n' || n, 'Told.', '/p/harbour/' FROM generate_series(1, %(many)s) AS n""",
    "visits": """
        INSERT INTO support_visit (tenant_id, staff_user_id, as_user_id, login_session_id, reason, started_at, expires_at,
            ended_at)
        SELECT %(partner)s, %(admin)s, %(owner)s, (SELECT min(id) FROM login_session), 'They asked for help',
            at, at + interval '30 seconds', at + interval '30 seconds'
        FROM generate_series(1, %(many)s) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS times""",
    "mails": """
        INSERT INTO mail (tenant_id, kind, to_address, cause, message_id, state)
        SELECT %(partner)s, 'reconnected', 'a@b.example', 'c' || n, 'm' || n, 'sent'
        FROM generate_series(1, %(many)s) AS n""",
}
PAGES_OF_PEOPLE = {
    "owner": ("/p/harbour/settings/people", "/p/harbour/settings", "/p/harbour/settings/support", "/you", "/partners",
              "/p/harbour/notices", "/p/harbour/activity", "/p/harbour/activity/visits"),
    "admin": ("/staff/people", "/staff/lost-factors", "/staff/partners", "/staff/partners/harbour", "/staff/mails", "/you",
              "/staff/partners/harbour/visit", "/staff/audit", "/staff/health"),
}  # fmt: skip


# Of these nothing was made that has many, or all of it is one choice.
ENDS = {"/staff/partners/harbour", "/staff/partners/harbour/visit", "/staff/audit", "/staff/health"}


# Pages of the records that have many.
PAGES = (
    "customers/{customer}", "payments/new?customer={customer}", "payments/new?invoice={open}", "invoices/{open}",
    "invoices/{paid}", "invoices/{credit}", "invoices/{open}/lines", "invoices/{credit}/credits", "payments?invoice={paid}&show=all", "credits/new?credit_id={credit}", "payments/{payment_waiting}",
    "payments/{payment_waiting}/delete", "customers/{customer}/statement",
    "customers/{customer}/contacts", "customers/{customer}/history", "sync-runs/{run}", "sync-runs/{run}/changes",
    "deliveries", "deliveries/{delivery}", "settings", "payments", "invoices", "customers", "reconciliation", "activity", "",
)  # fmt: skip


@pytest.fixture
def ids(app: Flask, superuser: psycopg.Connection[Any]) -> dict[str, int]:
    found = books.open_books(app)
    for statement in MORE.values():
        superuser.execute(statement, found | {"many": MANY})
    [delivery] = superuser.execute(
        "SELECT id FROM delivery WHERE invoice_id = %s", [found["stuck"]]
    ).fetchall()
    return found | {"delivery": delivery[0]}


def test_no_page_and_no_answer_of_the_api_grows_with_what_it_tells(
    app: Flask, ids: dict[str, int], log_in: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one record's parts as many as one payment may have; an invoice's lines behind a cursor of their own."""
    monkeypatch.setattr(api, "LINES", 50)
    with app.app_context():
        partner = db.session.get_one(Tenant, ids["partner"])
        with factories.inside(partner):
            _, secret = api_keys.create(factories.ACTOR, "Reader", ["read"])
            db.session.commit()
        owner = log_in(db.session.get_one(Tenant, ids["partner"]))
    large = {}
    for address in PAGES:
        answer = owner.get(f"/p/{books.SLUG}/{address.format(**ids)}")
        assert answer.status_code == 200, address
        rows = answer.text.count("<tr") + answer.text.count("<li")
        if rows > MOST_ROWS or len(answer.text) > MOST_BYTES:
            large[address] = (rows, len(answer.text))
    assert large == {}

    def told(address: str) -> dict[str, Any]:
        answer = app.test_client().get(f"/api/v1/{address}", headers={"Authorization": f"Bearer {secret}"})
        assert (answer.status_code, len(answer.data) < MOST_BYTES) == (200, True), address
        body: dict[str, Any] = answer.json
        return body

    for address in ("customers", "invoices", "payments", f"payments/{ids['payment_waiting']}",
                    f"customers/{ids['customer']}/statement"):  # fmt: skip
        told(address)
    invoice = told(f"invoices/{ids['open']}")
    lines, following = invoice["lines"], invoice["lines_next_cursor"]
    while following:
        page = told(f"invoices/{ids['open']}/lines?cursor={following}&limit=100")
        lines, following = [*lines, *page["data"]], page["next_cursor"]
    assert len({line["name"] for line in lines}) == len(lines) == MANY


def test_no_list_of_people_and_of_what_is_theirs_grows_with_them(
    app: Flask, superuser: psycopg.Connection[Any], log_in: Callable[..., FlaskClient]
) -> None:
    """Each is cut or goes on, and all people of a partner are found by going on."""
    with app.app_context():
        partner = factories.tenant("harbour")
        owner, admin = (
            factories.member(partner),
            factories.user("ada@portal.example", staff=True, staff_admin=True),
        )
    ids = {"partner": partner.id, "owner": owner.id, "admin": admin.id, "many": MANY}
    looks = {"owner": log_in(user=owner), "admin": log_in(user=admin)}
    for statement in PEOPLE.values():
        superuser.execute(statement, ids)
    large, still = {}, {}
    for who, addresses in PAGES_OF_PEOPLE.items():
        for address in addresses:
            answer = looks[who].get(address)
            assert answer.status_code == 200, address
            rows = answer.text.count("<tr") + answer.text.count("<li")
            if rows > MOST_ROWS or len(answer.text) > MOST_BYTES:
                large[address] = (rows, len(answer.text))
            still[address] = 'rel="next"' in answer.text or " data-cut>" in answer.text
    assert large == {}
    assert {address for address, told in still.items() if not told} == ENDS
    assert rows_behind(looks["owner"], "/p/harbour/settings/people") == MANY + 1
    assert rows_behind(looks["admin"], "/staff/people") == MANY + 1
