"""A match by hand says that it is one, and since when it is being taken back.

Revision ID: 0040
Revises: 0039

"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        "ALTER TABLE invoice ADD COLUMN matched_by_hand_at timestamptz, ADD COLUMN match_ends_at timestamptz"
    )


def downgrade():
    op.execute("ALTER TABLE invoice DROP COLUMN matched_by_hand_at, DROP COLUMN match_ends_at")
