"""The sums of invoices and payments that are here already, partner by partner, while everybody goes on writing.

Each statement adds what its own snapshot misses, so that it can be run again.

Revision ID: 0030
Revises: 0029

"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

OWED = "archived_at IS NULL AND status IN ('open', 'part_paid')"
SUMS = (
    ("invoice_sum", "invoice", "tenant_id, currency, status, agreement, archived, due_on", ("invoices", "outstanding"),
        """tenant_id, currency, status, agreement, archived_at IS NOT NULL AS archived,
        CASE WHEN status IN ('open', 'part_paid') THEN due_on END AS due_on, 1 AS invoices, outstanding"""),
    ("customer_sum", "invoice", "tenant_id, customer_id, currency", ("invoices", "outstanding", "credit"),
        f"""tenant_id, customer_id, currency, CASE WHEN {OWED} THEN 1 ELSE 0 END AS invoices,
        CASE WHEN {OWED} THEN outstanding ELSE 0 END AS outstanding,
        CASE WHEN archived_at IS NULL AND status = 'credit' THEN outstanding ELSE 0 END AS credit"""),
    ("payment_sum", "payment", "tenant_id, currency, paid_on, deleted", ("payments", "amount"),
        "tenant_id, currency, paid_on, deleted_at IS NOT NULL AS deleted, 1 AS payments, amount"),
)  # fmt: skip


def upgrade():
    with op.get_context().autocommit_block():
        connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, false)")
        for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant ORDER BY id")).all():
            connection.execute(scope, {"id": str(tenant_id)})
            for one in SUMS:
                connection.execute(sa.text(add_what_is_missing(*one)), {"id": tenant_id})
        connection.execute(scope, {"id": ""})


def add_what_is_missing(table, of, key, amounts, rows):
    summed = ", ".join(f"sum({name})" for name in amounts)
    negative = ", ".join(f"-{name}" for name in amounts)
    counts = " OR ".join(f"sum({name}) <> 0" for name in amounts)
    return f"""INSERT INTO {table} ({key}, {", ".join(amounts)}) SELECT {key}, {summed} FROM (
        SELECT {rows} FROM {of} WHERE tenant_id = :id
        UNION ALL SELECT {key}, {negative} FROM {table} WHERE tenant_id = :id
    ) AS each GROUP BY {key} HAVING {counts}"""


def downgrade():
    pass
