"""Fills a partner's books by SQL: as many invoices as asked for, with customers, lines, payments and deliveries.

Of twenty invoices three are open, two part paid, six paid here and told to Autotask, nine settled in Autotask. The
rows are what the portal itself would have written; only its history (audit log, sync runs, attempts) is missing.
"""

from typing import Any

import psycopg

CUSTOMERS = """
INSERT INTO customer (tenant_id, integration_id, autotask_id, name, number, currency)
SELECT %(tenant)s, %(integration)s, 10000000 + n, 'Customer ' || n || ' of ' || chr(65 + n %% 26) || 'town', 'C' || n, 'USD'
FROM generate_series(1, greatest(%(invoices)s / 50, 1)) AS n"""
INVOICES = """
WITH owner AS (SELECT array_agg(id ORDER BY id) AS ids FROM customer WHERE tenant_id = %(tenant)s AND autotask_id > 10000000)
INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, autotask_number, issued_on, due_on,
    currency, total_raw, amount_due, paid_amount, settled_amount, autotask_paid_on, autotask_read_at, lines_read_at,
    order_number)
SELECT %(tenant)s, %(integration)s, 10000000 + n, ids[1 + n %% cardinality(ids)], 'INV-' || 100000 + n, 'INV-' || 100000 + n,
    day, day + 30, 'USD', amount, amount,
    CASE WHEN n %% 20 BETWEEN 3 AND 4 THEN 10 WHEN n %% 20 BETWEEN 5 AND 10 THEN amount ELSE 0 END,
    CASE WHEN n %% 20 > 10 THEN amount ELSE 0 END,
    CASE WHEN n %% 20 > 4 THEN day + 20 END, now(), now(), 'PO ' || n
FROM owner, generate_series(1, %(invoices)s) AS n,
    LATERAL (SELECT current_date - 30 - n %% 1000 AS day, 20 + (n * 7919 %% 100000) / 100.0 AS amount) AS made"""
PAYMENTS = """
INSERT INTO payment (tenant_id, customer_id, currency, amount, method, paid_on, reference, recorded_at)
SELECT tenant_id, customer_id, 'USD', paid_amount, 'check', issued_on + 20, 'check ' || id, (issued_on + 20)::timestamptz
FROM invoice WHERE tenant_id = %(tenant)s AND autotask_id > 10000000 AND paid_amount > 0"""
ALLOCATIONS = """
INSERT INTO allocation (tenant_id, payment_id, invoice_id, amount)
SELECT tenant_id, id, substr(reference, 7)::bigint, amount
FROM payment WHERE tenant_id = %(tenant)s AND reference LIKE 'check %%'"""
SETTLEMENTS = """
INSERT INTO settlement (tenant_id, invoice_id, amount, settled_on)
SELECT tenant_id, id, settled_amount, autotask_paid_on
FROM invoice WHERE tenant_id = %(tenant)s AND autotask_id > 10000000 AND settled_amount > 0"""
DELIVERIES = """
INSERT INTO delivery (tenant_id, invoice_id, wish_paid_on, wish_version, done_version, our_mark_on, shown_on, state,
    attempts, wished_at, sent_at, confirmed_at)
SELECT tenant_id, id, autotask_paid_on, 1, 1, autotask_paid_on, autotask_paid_on, 'confirmed', 1,
    autotask_paid_on::timestamptz, autotask_paid_on::timestamptz, autotask_paid_on::timestamptz
FROM invoice WHERE tenant_id = %(tenant)s AND autotask_id > 10000000 AND paid_amount >= amount_due"""
LINES = """
INSERT INTO invoice_line (tenant_id, integration_id, autotask_id, invoice_id, name, quantity, rate, price_raw, tax_raw, total_raw)
SELECT tenant_id, integration_id, autotask_id * 4 + n, id, 'Managed workstation ' || n, 1, amount_due / 2, amount_due / 2, 0, amount_due / 2
FROM invoice, generate_series(1, 2) AS n WHERE tenant_id = %(tenant)s AND autotask_id > 10000000"""
TABLES = ("customer", "invoice", "payment", "allocation", "settlement", "delivery", "invoice_line")


def fill(connection: psycopg.Connection[Any], tenant_id: int, integration_id: int, invoices: int) -> None:
    """So many more invoices. The connection is the owner's or a superuser's; statistics are brought up to date."""
    connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(tenant_id)])
    values = {"tenant": tenant_id, "integration": integration_id, "invoices": invoices}
    for statement in (CUSTOMERS, INVOICES, PAYMENTS, ALLOCATIONS, SETTLEMENTS, DELIVERIES, LINES):
        connection.execute(statement, values)
    for table in TABLES:
        connection.execute(f"ANALYZE {table}")
