"""Deliveries know which paid date of ours Autotask showed, attempts until when a write may still arrive.

Revision ID: 0002
Revises: 0001

"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("delivery", sa.Column("shown_on", sa.Date(), nullable=True))
    op.add_column("delivery", sa.Column("look_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_delivery_look", "delivery", ["look_at"], unique=False, postgresql_where="look_at IS NOT NULL"
    )
    op.add_column("delivery_attempt", sa.Column("may_land_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_delivery_attempt_open",
        "delivery_attempt",
        ["tenant_id"],
        unique=False,
        postgresql_where="may_land_until IS NOT NULL",
    )
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index(
        "ix_delivery_due", "delivery", ["next_try_at"], unique=False, postgresql_where="state <> 'confirmed'"
    )


def downgrade():
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["next_try_at"],
        unique=False,
        postgresql_where="state IN ('waiting', 'sending')",
    )
    op.drop_index("ix_delivery_attempt_open", "delivery_attempt")
    op.drop_column("delivery_attempt", "may_land_until")
    op.drop_index("ix_delivery_look", "delivery")
    op.drop_column("delivery", "look_at")
    op.drop_column("delivery", "shown_on")
