"""A partner's books where every list has more than one row: for guards over all pages."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from portal import attention, clock, ledger
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.imports import outcome, runs
from portal.imports.given import GivenCustomer
from portal.imports.outcome import Refusal
from portal.models import (
    Cause,
    Customer,
    Delivery,
    DeliveryAttempt,
    ImportKind,
    Integration,
    Invoice,
    SyncChange,
    SyncRun,
    Tenant,
)
from portal.queries import cut
from tests import factories, uploaded
from tests.browser import books
from tests.webhooks import hooks

_imports = count(1)
START = f"/p/{books.SLUG}/"
# Pages that a person reaches by typing.
TYPED = (f"{START}search?q=e", f"{START}exceptions?show=closed")

# What each invoice has more of, without moving a sum: a line, a deleted payment, a credit that was taken back.
PARTS = (
    """INSERT INTO invoice_line (tenant_id, invoice_id, name, quantity, rate, price_raw, tax_raw, total_raw)
    SELECT tenant_id, id, 'Nothing', 1, 0, 0, 0, 0 FROM invoice WHERE tenant_id = :partner""",
    """WITH made AS (
        INSERT INTO payment (tenant_id, customer_id, currency, amount, method, paid_on, deleted_at, deleted_reason, note)
        SELECT tenant_id, customer_id, currency, 1, 'check', issued_on, now(), 'Recorded twice', id::text
        FROM invoice WHERE tenant_id = :partner AND amount_due > 0 RETURNING tenant_id, id, note)
    INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount) SELECT tenant_id, id, note::bigint, 1 FROM made""",
    """INSERT INTO credit_application (tenant_id, credit_invoice_id, invoice_id, amount, applied_on, removed_at)
    SELECT tenant_id, :credit, id, 1, issued_on, now() FROM invoice WHERE tenant_id = :partner AND amount_due > 0""",
)


def crowded_books(app: Flask, visit: Callable[[Tenant], FlaskClient]) -> dict[str, int]:
    """The books of `harbour` with two or more of everything that a page lists; ids by what they show."""
    ids = books.open_books(app)
    with app.app_context():
        partner = db.session.get_one(Tenant, ids["partner"])
    for client in (visit(partner), visit(partner)):
        assert [client.get(START).status_code for _ in range(2)] == [200, 200]
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        run = _pressed(ids["partner"], ids["run"])
        hooks.listening(("ERP", "CRM"))
        for number in range(2):
            _exception(run, number)
            _park(ids["partner"], number)
            _tries(ids["waiting"])
            _import()
            _more_of(ids["customer"], number)
            for statement in PARTS:
                db.session.execute(text(statement), {"partner": ids["partner"], "credit": ids["credit"]})
        db.session.commit()
        for number in range(2):
            words = "".join(f"Uploaded {number} {k},{code}\n" for k, code in enumerate(("USD", "XXX") * 2))
            uploaded.taken(f"Name,Currency\n{words}", name=f"taken-{number}.csv")
            uploaded.checked(f"Name,Currency,Phone\n{words}", name=f"hand-{number}.csv")
    return ids


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for one row where the beginning of a list is shown, so that the way to all of it is there."""
    first = cut.first
    monkeypatch.setattr(cut, "first", lambda statement, most: first(statement, 1))


def _pressed(partner_id: int, run_id: int) -> SyncRun:
    """A run that a person started, and what it and the one before changed everywhere."""
    source = db.session.query(Integration).one()
    now = clock.now()
    run = SyncRun(
        tenant_id=partner_id, integration_id=source.id, kind="new", trigger="button", state="completed",
        created_at=now, started_at=now, finished_at=now, items={},
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    for one in (run_id, run.id):
        for kind, rows in (("invoice", scoped(Invoice)), ("customer", scoped(Customer))):
            for row in db.session.scalars(rows):
                db.session.add(_change(partner_id, one, kind, row))
    return run


def _change(partner_id: int, run_id: int, kind: str, row: Any) -> SyncChange:
    return SyncChange(
        tenant_id=partner_id, run_id=run_id, subject_type=kind, subject_id=row.id, label="One",
        field="Comments", old_value="1", new_value="2", at=clock.now() - timedelta(minutes=run_id),
    )  # fmt: skip


def _more_of(customer_id: int, number: int) -> None:
    """One more credit, and an unpaid invoice that Autotask has no longer."""
    customer = db.session.get_one(Customer, (current_tenant_id(), customer_id))
    factories.invoice(customer, "-80.00", number=f"CR-9{number}")
    customer = db.session.get_one(Customer, (current_tenant_id(), customer_id))
    gone = factories.invoice(customer, number=f"GONE-{number}", missing_since=clock.now())
    ledger.restate([gone.id])


def _exception(run: SyncRun, number: int) -> None:
    attention.open_item(
        Cause.BAD_RECORD, "invoice", f"{900 + number}", label=f"Invoice {900 + number}",
        detail="Its company is no number.", run_id=run.id,
    )  # fmt: skip
    several = {"candidates": [{"autotask_id": 7, "number": "7"}], "candidates_found": 2}
    attention.open_item(
        Cause.MATCH_SEVERAL, "invoice", f"{800 + number}", label=f"Invoice {800 + number}",
        detail="Two fit.", theirs=several, run_id=run.id,
    )  # fmt: skip


def _park(partner_id: int, number: int) -> None:
    """One more delivery that needs a person."""
    customer = db.session.scalars(
        scoped(Customer).where(Customer.autotask_id.is_not(None)).order_by(Customer.id).limit(1)
    ).one()
    invoice = factories.invoice(customer, number=f"STUCK-{number}")
    factories.payment((invoice, "100.00"))
    delivery = db.session.query(Delivery).filter_by(invoice_id=invoice.id).one()
    delivery.state, delivery.error = "parked", "Autotask did not answer."


def _import() -> None:
    """A batch with a record of each result, sent a second time with one change."""
    customer = GivenCustomer(f"C-{(n := next(_imports))}", f"Imported {n}", "USD")
    for name in (customer.name, f"{customer.name} Ltd"):
        more = [GivenCustomer(f"{customer.external_id}-{name}-{k}", name, "USD") for k in range(2)]
        refused = [
            outcome.refused(f"X-{k}", [Refusal("currency", "There is no currency XXX.")]) for k in range(2)
        ]
        given = [
            replace(customer, name=name),
            replace(customer, external_id=f"{customer.external_id}-b", name=name),
        ]
        runs.put_batch(factories.ACTOR, ImportKind.CUSTOMERS, [*given, *more], [None] * 4 + refused, None)


def _tries(invoice_id: int) -> None:
    delivery = db.session.query(Delivery).filter_by(invoice_id=invoice_id).one()
    now = clock.now()
    db.session.add(
        DeliveryAttempt(
            tenant_id=delivery.tenant_id, delivery_id=delivery.id, wish_version=1, outcome="retry",
            wish_paid_on=delivery.wish_paid_on, started_at=now, finished_at=now, error="No answer.",
        )
    )  # fmt: skip
