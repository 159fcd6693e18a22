"""Every export of every route is whole, whatever the number of rows, and says so when it cannot be (rules 3.2, 5.8)."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from structlog import get_logger
from structlog.testing import capture_logs

from portal.access.permissions import Permission
from portal.access.tenancy import tenant_scope
from portal.database.shares import Process
from portal.extensions import db
from portal.models import AuditEvent
from portal.queries import history, paging, sync_runs
from portal.sync import runs
from portal.web import exports
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.fixtures.web import become
from tests.rules.test_every_route import routes

# More than any page, chunk or number of rows that is shown at once.
MANY = 1234
assert max(exports.CHUNK * 2, paging.SIZE, history.MOST, sync_runs.CHANGES_SHOWN) < MANY

# Export to (its address, the rows it holds by SQL of the database).
HOLDS = {
    "invoices.export": ("/invoices/export.csv?show=all", "SELECT count(*) FROM invoice"),
    "files.payments": ("/payments/export.csv?show=all", "SELECT count(*) FROM payment"),
    "files.customers": ("/customers/export.csv?show=every", "SELECT count(*) FROM customer"),
    "files.exceptions": ("/exceptions/export.csv", "SELECT count(*) FROM exception_item"),
    "files.deliveries": ("/deliveries/export.csv", "SELECT count(*) FROM delivery"),
    "activity.export": ("/activity/export.csv", "SELECT count(*) FROM audit_event"),
    "sync_runs.export": ("/sync-runs/{run}/changes.csv", "SELECT count(*) FROM sync_change"),
    "uploads.refused": ("/imports/files/{file}/refused.csv", "SELECT count(*) FROM import_file_row"),
    "reconciliation.export": (
        "/reconciliation/export.csv?month=2026-11",
        "SELECT (SELECT count(*) FROM allocation) + (SELECT count(*) FROM settlement)",
    ),
}

FILL = """
    INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, issued_on, due_on, currency,
        total_raw, amount_due)
    SELECT tenant_id, integration_id, 100000 + n, customer_id, 'MANY-' || n, issued_on, due_on, currency, 1, 1
    FROM invoice, generate_series(1, {many}) n WHERE number = 'FIRST';
    INSERT INTO sync_change (tenant_id, run_id, subject_type, subject_id, label, field, old_value, new_value)
    SELECT r.tenant_id, r.id, 'invoice', i.id, i.number, 'Customer', i.customer_id::text, i.customer_id::text
    FROM sync_run r, invoice i WHERE i.tenant_id = r.tenant_id LIMIT {many};
    INSERT INTO payment (tenant_id, customer_id, currency, amount, method, paid_on, reference)
    SELECT tenant_id, customer_id, currency, 1, method, paid_on, 'many-' || n
    FROM payment, generate_series(1, {many}) n;
    INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount)
    SELECT p.tenant_id, p.id, i.id, 1 FROM payment p JOIN invoice i
        ON i.tenant_id = p.tenant_id AND i.number = 'MANY-' || substr(p.reference, 6) WHERE p.reference LIKE 'many-%';
    INSERT INTO customer (tenant_id, name, currency)
    SELECT tenant_id, 'Many ' || n, currency FROM customer, generate_series(1, {many}) n WHERE name = '=Customer';
    INSERT INTO exception_item (tenant_id, cause, subject_type, subject_key, label, detail, state, invoice_id)
    SELECT tenant_id, 'overpaid', 'invoice', id::text, number, '', 'open', id FROM invoice WHERE number LIKE 'MANY-%';
    INSERT INTO delivery (tenant_id, invoice_id, wish_paid_on, state, next_try_at)
    SELECT tenant_id, id, issued_on, 'waiting', now() FROM invoice WHERE number LIKE 'MANY-%';
    INSERT INTO audit_event SELECT (jsonb_populate_record(e, jsonb_build_object('id', e.id + 1000 + n,
        'position', e.position + 1000 + n))).* FROM audit_event e, generate_series(1, {many}) n WHERE e.position = 1;
    INSERT INTO import_file (tenant_id, kind, name, state, headings)
    SELECT id, 'customers', 'file.csv', 'checked', '["Name"]' FROM tenant;
    INSERT INTO import_file_row (tenant_id, file_id, place, cells, record, line)
    SELECT tenant_id, id, n + 1, ARRAY['Many ' || n], n + 1, 1 FROM import_file, generate_series(1, {many}) n;
    INSERT INTO import_file_record (tenant_id, file_id, place, rows, result, reasons)
    SELECT tenant_id, file_id, place, 1, 'refused', '[["currency", "No."]]' FROM import_file_row;
    ANALYZE invoice, customer, exception_item, delivery, sync_change, payment, allocation, audit_event;
"""


@pytest.fixture
def browser(app: Flask, superuser: psycopg.Connection[Any]) -> Iterator[FlaskClient]:
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email="dana@northwind.example")
        with tenant_scope(partner.id):
            integration = factories.integration(app)
            customer = factories.customer(integration, name="=Customer")
            factories.payment((factories.invoice(customer, number="FIRST"), "100.00"))
            runs.start(integration, "new", "schedule", factories.ACTOR)
            db.session.commit()
        db.session.remove()
    superuser.execute(FILL.format(many=MANY))
    browser = app.test_client()
    with_factor_proved(browser, "dana@northwind.example")
    return browser


def address(superuser: psycopg.Connection[Any], endpoint: str) -> str:
    run, file = superuser.execute(
        "SELECT (SELECT max(id) FROM sync_run), (SELECT max(id) FROM import_file)"
    ).fetchone()
    return "/p/northwind" + HOLDS[endpoint][0].format(run=run, file=file)


def test_every_export_is_known_here(app: Flask) -> None:
    found = {
        rule.endpoint
        for rule, method in routes(app, partner=True)
        if method == "GET" and app.view_functions[rule.endpoint].access == Permission.EXPORT
    }
    files = {rule.endpoint for rule, _ in routes(app, partner=True) if ".csv" in str(rule)}
    assert found == files == HOLDS.keys()


def test_every_export_holds_all_rows_tells_the_audit_log_and_leaves_one_log_line(
    browser: FlaskClient, superuser: psycopg.Connection[Any]
) -> None:
    for endpoint, (_, sql) in HOLDS.items():
        with capture_logs() as logged:
            answer = browser.get(address(superuser, endpoint))
            rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
            answer.close()
        wanted = superuser.execute(sql).fetchone()[0]
        assert wanted >= MANY, endpoint
        assert len(rows) - 1 == wanted, endpoint
        assert len({tuple(row) for row in rows}) == len(rows), f"{endpoint}: the same row twice"
        told = [line for line in logged if line["event"].startswith("export.")]
        assert [(line["event"], line["rows"]) for line in told] == [("export.sent", wanted)], endpoint
        last = superuser.execute(
            "SELECT event, details->>'file' FROM audit_event ORDER BY at DESC LIMIT 1"
        ).fetchone()
        assert last[0] == "file.downloaded"
        assert last[1] in answer.headers["Content-Disposition"]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("endpoint", HOLDS)
def test_a_fault_in_the_middle_of_a_file_is_seen_in_it_and_ends_the_answer(
    browser: FlaskClient, superuser: psycopg.Connection[Any], monkeypatch: Any, endpoint: str
) -> None:
    """A file that was cut must not look like a whole one, whatever stands between portal and person."""
    monkeypatch.setattr(exports, "CHUNK", 10)
    monkeypatch.setattr(exports, "csv_text", failing_after(3000))
    received = []
    with capture_logs() as logged, pytest.raises(ZeroDivisionError):
        received.extend(iter(browser.get(address(superuser, endpoint)).response))
    assert b"THIS FILE IS INCOMPLETE" in received[-1]
    assert [line["event"] for line in logged if line["event"].startswith("export.")] == ["export.failed"]


def failing_after(cells: int) -> Any:
    left = iter(range(cells))

    def fails(value: Any) -> str:
        return str(value) if next(left, None) is not None or "INCOMPLETE" in str(value) else str(1 / 0)

    return fails


def test_a_person_who_goes_away_leaves_no_transaction_behind(
    app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(exports, "CHUNK", 10)
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in tr%' AND datname = current_database()"
    with capture_logs() as logged:
        answer = browser.get(address(superuser, "invoices.export"))
        part = iter(answer.response)
        assert [next(part), next(part)][0] == "\ufeff".encode()
        assert superuser.execute(open_ones).fetchone() == (1,)
        answer.close()
    assert superuser.execute(open_ones).fetchone() == (0,)
    assert [(line["event"], line["rows"]) for line in logged if line["event"].startswith("export.")] == [
        ("export.abandoned", 10)
    ]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("endpoint", HOLDS)
def test_an_export_needs_one_connection_at_a_time(
    app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any], monkeypatch: Any, endpoint: str
) -> None:
    """Else exports that run at once in one process wait for each other's second one."""
    monkeypatch.setattr(exports, "CHUNK", 10)
    become(app, Process.JOB)
    with app.app_context():
        monkeypatch.setattr(db.engine.pool, "_timeout", 0.1)
    with browser.get(address(superuser, endpoint)) as answer:
        rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
    assert len(rows) - 1 == superuser.execute(HOLDS[endpoint][1]).fetchone()[0]


def test_files_that_are_read_slowly_leave_a_connection_to_the_pages(
    app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any], monkeypatch: Any
) -> None:
    """Two connections: one file at a time, the next is refused in words, and pages open all the while."""
    monkeypatch.setattr(exports, "CHUNK", 10)
    monkeypatch.setitem(app.config, "DATABASE_POOL", 2)
    become(app, Process.WEB)
    file = address(superuser, "invoices.export")
    slow = browser.get(file)
    next(iter(slow.response))

    refused = browser.get(file)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert "Other files are being downloaded at the moment" in refused.text
    assert browser.get("/p/northwind/invoices").status_code == 200

    slow.close()
    with browser.get(file) as again:
        assert again.status_code == 200
        assert len(again.get_data(as_text=True).splitlines()) > MANY


def test_a_file_is_of_one_instant_and_of_one_partner(
    app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any], monkeypatch: Any
) -> None:
    """What is written after the file began is not in it, nor is what the database holds of others."""
    monkeypatch.setattr(exports, "CHUNK", 10)
    with app.app_context():
        other = factories.tenant("contoso")
        with tenant_scope(other.id):
            factories.invoice(factories.customer(), number="SECRET-contoso")
    answer = browser.get(address(superuser, "invoices.export"))
    part = iter(answer.response)
    received = [next(part), next(part)]
    superuser.execute("UPDATE invoice SET number = 'LATER-' || id, issued_on = issued_on - 10")
    text = b"".join([*received, *part]).decode()
    answer.close()
    assert "LATER" not in text
    assert "SECRET" not in text
    assert text.count("MANY-") == MANY
    assert "'=Customer" in text


def test_a_statement_with_a_limit_is_no_export(app: Flask, browser: FlaskClient) -> None:
    with app.test_request_context(), pytest.raises(ValueError, match="cut"):
        exports.send(exports.Table("a.csv", ["A"], select(AuditEvent).limit(5), lambda row: [row]))


def test_no_file_is_cut_beside_its_statement_either(app: Flask) -> None:
    """More rows than any file was ever cut at, of a statement that costs nothing."""
    most = 60_000
    table = exports.Table("many", ["n"], select(func.generate_series(1, most)), lambda row: [row])
    with app.app_context():
        lines = "".join(exports._lines(table, factories.tenant().id, get_logger(), exports.Place()))
    assert lines.count("\n") == most + 1
    assert lines.endswith(f"{most}\r\n")
