"""Every list of invoices is read in the order of an index; what is kept as a sum needs none any more.

Revision ID: 0031
Revises: 0030

"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

UNPAID = sa.text("archived_at IS NULL AND status IN ('open', 'part_paid')")
INDEXES = (
    ("ix_invoice_unpaid", "invoice", ["tenant_id", "issued_on", "id"], {
        "postgresql_include": ["due_on"], "postgresql_where": UNPAID,
    }),
    ("ix_invoice_owed", "invoice", ["tenant_id", "customer_id", "due_on"], {
        "postgresql_include": ["currency", "outstanding"], "postgresql_where": UNPAID,
    }),
    ("ix_invoice_unusual", "invoice", ["tenant_id", "agreement", "issued_on", "id"], {
        "postgresql_where": sa.text("agreement <> 'agrees'"),
    }),
    ("ix_invoice_amount_due", "invoice", ["tenant_id", "amount_due"], {}),
    ("ix_payment_amount", "payment", ["tenant_id", "amount"], {}),
    ("ix_payment_paid_on", "payment", ["tenant_id", "paid_on"], {}),
    ("ix_settlement_settled_on", "settlement", ["tenant_id", "settled_on"], {}),
    ("ix_invoice_archived", "invoice", ["tenant_id", "issued_on", "id"], {
        "postgresql_where": sa.text("archived_at IS NOT NULL"),
    }),
)  # fmt: skip


NO_MORE = (
    ("ix_invoice_sums", "invoice", ["tenant_id", "status"], {
        "postgresql_include": ["currency", "outstanding", "due_on", "customer_id", "agreement"],
        "postgresql_where": sa.text("archived_at IS NULL"),
    }),
    ("ix_payment_sums", "payment", ["tenant_id", "paid_on"], {
        "postgresql_include": ["currency", "amount"],
        "postgresql_where": sa.text("deleted_at IS NULL"),
    }),
)  # fmt: skip


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '60s'")
        for name, table, columns, more in INDEXES:
            # One whose building was cut short stands there and answers nothing.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)
        for name, table, _, _ in NO_MORE:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
        op.execute("SET lock_timeout = '800ms'")


def downgrade():
    with op.get_context().autocommit_block():
        for name, table, columns, more in NO_MORE:
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)
        for name, table, _, _ in reversed(INDEXES):
            op.drop_index(name, table_name=table, postgresql_concurrently=True)
