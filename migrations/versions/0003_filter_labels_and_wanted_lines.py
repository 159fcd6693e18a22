"""Names of the partner's own picklist values, and a quick way to invoices whose lines are wanted.

Revision ID: 0003
Revises: 0002

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("integration", sa.Column("picklists", postgresql.JSONB(), nullable=True))
    op.create_index(
        "ix_invoice_lines_wanted",
        "invoice",
        ["tenant_id", "autotask_id"],
        postgresql_where=sa.text("lines_read_at IS NULL"),
    )


def downgrade():
    op.drop_index("ix_invoice_lines_wanted", table_name="invoice")
    op.drop_column("integration", "picklists")
