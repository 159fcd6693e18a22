"""PostgreSQL remembers when a regular duty was last done, so that whoever comes first does it.

Revision ID: 0011
Revises: 0010

"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    long_ago = sa.text("to_timestamp(0)")
    op.create_table(
        "upkeep",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), server_default=long_ago, nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), server_default=long_ago, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_upkeep")),
    )


def downgrade():
    op.drop_table("upkeep")
