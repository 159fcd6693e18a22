"""A line's partner and integration are those of its invoice, so each line is checked once instead of three times.

Reading everything writes hundreds of thousands of lines; every foreign key is one more look-up for each.

Revision ID: 0004
Revises: 0003

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.drop_constraint("fk_invoice_line_tenant_id", "invoice_line", type_="foreignkey")
    op.drop_constraint("fk_invoice_line_tenant_id_integration_id", "invoice_line", type_="foreignkey")


def downgrade():
    op.create_foreign_key("fk_invoice_line_tenant_id", "invoice_line", "tenant", ["tenant_id"], ["id"])
    op.create_foreign_key(
        "fk_invoice_line_tenant_id_integration_id",
        "invoice_line",
        "integration",
        ["tenant_id", "integration_id"],
        ["tenant_id", "id"],
    )
