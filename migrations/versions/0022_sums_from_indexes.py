"""Sums of invoices and payments are answered from indexes alone, and deliveries are listed in the order of one.

Revision ID: 0022
Revises: 0021

"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


INDEXES = (
    ("ix_invoice_sums", "invoice", ["tenant_id", "status"], {
        "postgresql_include": ["currency", "outstanding", "due_on", "customer_id", "agreement"],
        "postgresql_where": sa.text("archived_at IS NULL"),
    }),
    ("ix_payment_sums", "payment", ["tenant_id", "paid_on"], {
        "postgresql_include": ["currency", "amount"],
        "postgresql_where": sa.text("deleted_at IS NULL"),
    }),
    ("ix_delivery_tenant_id_wished_at_id", "delivery", ["tenant_id", "wished_at", "id"], {}),
)  # fmt: skip


def upgrade():
    """While they are built, the release before goes on recording payments and reading invoices."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '60s'")
        for name, table, columns, more in INDEXES:
            # One whose building was cut short stands there and answers nothing.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)
        op.execute("SET lock_timeout = '800ms'")


def downgrade():
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
