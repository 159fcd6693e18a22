"""When an invoice was last read stands by range of ids, so that reading again rewrites no invoice.

Revision ID: 0021
Revises: 0020

"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
KEY = ["tenant_id", "integration_id", "only_unpaid", "low"]


def upgrade():
    op.create_table(
        "read_range",
        sa.Column("integration_id", sa.BigInteger(), nullable=False),
        sa.Column("only_unpaid", sa.Boolean(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integration.tenant_id", "integration.id"],
            name=op.f("fk_read_range_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_read_range_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_read_range")),
        sa.UniqueConstraint(*KEY, name=op.f("uq_read_range_" + "_".join(KEY))),
    )
    op.execute("ALTER TABLE read_range ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE read_range FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON read_range USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")


def downgrade():
    op.drop_table("read_range")
