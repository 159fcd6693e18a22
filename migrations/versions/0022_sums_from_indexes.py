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


def upgrade():
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_invoice_sums",
        "invoice",
        ["tenant_id", "status"],
        postgresql_include=["currency", "outstanding", "due_on", "customer_id", "agreement"],
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_index(
        "ix_payment_sums",
        "payment",
        ["tenant_id", "paid_on"],
        postgresql_include=["currency", "amount"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_delivery_tenant_id_wished_at_id", "delivery", ["tenant_id", "wished_at", "id"])


def downgrade():
    op.drop_index("ix_delivery_tenant_id_wished_at_id", table_name="delivery")
    op.drop_index("ix_payment_sums", table_name="payment")
    op.drop_index("ix_invoice_sums", table_name="invoice")
