"""Rows no longer say which run saw them last: nothing ever wrote it, as each read would rewrite every row.

What a complete read lacked is told by comparing ids page by page.

Revision ID: 0007
Revises: 0006

"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("customer", "contact", "invoice")


def upgrade():
    for table in TABLES:
        op.drop_column(table, "last_seen_run_id")


def downgrade():
    for table in TABLES:
        op.add_column(table, sa.Column("last_seen_run_id", sa.BigInteger(), nullable=True))
