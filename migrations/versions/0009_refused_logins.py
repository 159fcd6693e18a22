"""A partner's refused logins to Autotask are counted, so that no more than three an hour reach it.

Revision ID: 0009
Revises: 0008

"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE tenant ADD COLUMN refused_logins timestamptz[] NOT NULL DEFAULT '{}'")


def downgrade():
    op.execute("ALTER TABLE tenant DROP COLUMN refused_logins")
