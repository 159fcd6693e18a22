"""Refused logins are counted by API user: Autotask locks a user, and no other.

Revision ID: 0038
Revises: 0037

"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE tenant ADD COLUMN refused_users jsonb NOT NULL DEFAULT '{}'")


def downgrade():
    op.execute("ALTER TABLE tenant DROP COLUMN refused_users")
