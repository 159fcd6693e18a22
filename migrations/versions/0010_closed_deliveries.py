"""A delivery is closed when its invoice is no longer in Autotask and was archived here.

Revision ID: 0010
Revises: 0009

"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = "ck_delivery_state_known"


def upgrade():
    _know("'waiting', 'sending', 'confirmed', 'parked', 'closed'")


def downgrade():
    with op.get_context().autocommit_block():
        op.execute("UPDATE delivery SET state = 'parked' WHERE state = 'closed'")
    _know("'waiting', 'sending', 'confirmed', 'parked'")


def _know(states):
    """New rows at once; the old ones are looked at while everybody goes on working."""
    op.execute(f"ALTER TABLE delivery DROP CONSTRAINT IF EXISTS {NAME}")
    op.execute(f"ALTER TABLE delivery ADD CONSTRAINT {NAME} CHECK (state IN ({states})) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE delivery VALIDATE CONSTRAINT {NAME}")
