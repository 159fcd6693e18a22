"""Every money column of the database refuses what is no amount, whoever writes it (rule 4.1)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import sql

from portal.access.tenancy import current_tenant_id, tenant_scope
from portal.extensions import db
from portal.models import (
    CreditApplication,
    ImportFile,
    ImportFileRecord,
    PaymentEvent,
    PaymentEventPart,
    Settlement,
)
from tests import factories

REFUSALS = (psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange)
# What pages add up may be larger than one amount.
SUMS = ("invoice_sum", "customer_sum", "payment_sum")
NO_SUMS = ("NaN", "Infinity", "-Infinity", "1e20", "1e400")
NO_AMOUNTS = ("NaN", "Infinity", "-Infinity", "100000000000", "-100000000000", "1e400")
MONEY_COLUMNS = """
    SELECT table_name, column_name, numeric_scale FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type = 'numeric' AND is_generated = 'NEVER'
    ORDER BY table_name, column_name"""


@pytest.fixture
def a_row_of_each(app: Flask, superuser: psycopg.Connection) -> None:
    """A row in every table that holds money."""
    with app.app_context(), tenant_scope(factories.tenant().id):
        customer = factories.customer(factories.integration(app))
        invoice, credit = factories.invoice(customer), factories.invoice(customer, "-5.00")
        factories.line(invoice)
        paid = factories.payment((invoice, "10.00"))
        of_this: dict[str, Any] = {"tenant_id": current_tenant_id(), "invoice_id": invoice.id}
        day = date(2026, 11, 19)
        db.session.add_all(
            [
                CreditApplication(**of_this, credit_invoice_id=credit.id, amount=Decimal(5), applied_on=day),
                Settlement(**of_this, amount=Decimal(5), settled_on=day, seen_at=datetime.now(UTC)),
            ]
        )
        back = PaymentEvent(
            tenant_id=invoice.tenant_id, payment_id=paid.id, kind="refunded", happened_on=day, amount=Decimal(5), ends=False,
        )  # fmt: skip
        db.session.add(back)
        db.session.flush()
        db.session.add(PaymentEventPart(**of_this, event_id=back.id, amount=Decimal(5)))
        file = ImportFile(tenant_id=invoice.tenant_id, kind="invoices", name="a.csv", state="staged")
        db.session.add(file)
        db.session.flush()
        db.session.add(
            ImportFileRecord(
                tenant_id=invoice.tenant_id, file_id=file.id, place=1, rows=1, result="created",
                amount=Decimal(5), amount_before=Decimal(5),
            )
        )  # fmt: skip
        invoice.number = "INV-NEW"  # a trigger keeps what it was called before
        db.session.commit()


def test_no_money_column_holds_what_is_no_amount_even_from_a_superuser(
    a_row_of_each: None, superuser: psycopg.Connection
):
    """NaN, infinities and absurd sizes, in every column that the catalogue knows."""
    columns = superuser.execute(MONEY_COLUMNS).fetchall()
    assert len(columns) > 15
    for table, column, _ in columns:
        for amount in NO_SUMS if table in SUMS else NO_AMOUNTS:
            statement = sql.SQL("UPDATE {} SET {} = {}::numeric").format(
                sql.Identifier(table), sql.Identifier(column), sql.Literal(amount)
            )
            with pytest.raises(REFUSALS):
                superuser.execute(statement)
