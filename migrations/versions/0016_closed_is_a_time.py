"""A closed delivery is a parked one with the time of closing: the release before knows no state "closed".

Whoever writes another state opens it again, also the release before, which does not know the column.

Revision ID: 0016
Revises: 0015

"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAME = "ck_delivery_state_known"
KNOWN = "'waiting', 'sending', 'confirmed', 'parked'"
MOST = 5000  # rows that one statement rewrites
SCOPE = sa.text("SELECT set_config('app.tenant_id', :id, false)")


def upgrade():
    """In steps that may each be run again: no lock outlasts a statement, and rows are rewritten a few at a time."""
    op.execute("ALTER TABLE delivery ADD COLUMN IF NOT EXISTS closed_at timestamptz")
    op.execute(
        """CREATE OR REPLACE FUNCTION open_closed_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.closed_at := NULL;
            RETURN NEW;
        END $$"""
    )
    op.execute(
        """CREATE OR REPLACE TRIGGER open_closed BEFORE UPDATE OF state ON delivery FOR EACH ROW
        WHEN (NEW.closed_at IS NOT NULL AND NEW.state <> 'parked') EXECUTE FUNCTION open_closed_delivery()"""
    )
    know(KNOWN)
    with op.get_context().autocommit_block():
        some = f"SELECT id FROM delivery WHERE state = 'closed' LIMIT {MOST}"
        each_partner(f"UPDATE delivery SET state = 'parked', closed_at = now() WHERE id IN ({some})")
        op.execute(f"ALTER TABLE delivery VALIDATE CONSTRAINT {NAME}")


def downgrade():
    know(f"{KNOWN}, 'closed'")
    op.execute("DROP TRIGGER IF EXISTS open_closed ON delivery")
    op.execute("DROP FUNCTION IF EXISTS open_closed_delivery()")
    with op.get_context().autocommit_block():
        some = f"SELECT id FROM delivery WHERE closed_at IS NOT NULL AND state = 'parked' LIMIT {MOST}"
        each_partner(f"UPDATE delivery SET state = 'closed' WHERE id IN ({some})")
        op.execute(f"ALTER TABLE delivery VALIDATE CONSTRAINT {NAME}")
    op.drop_column("delivery", "closed_at")


def know(states):
    """Of rows written from now on; the old ones are looked at later, while everybody goes on working."""
    op.execute(f"ALTER TABLE delivery DROP CONSTRAINT IF EXISTS {NAME}")
    op.execute(f"ALTER TABLE delivery ADD CONSTRAINT {NAME} CHECK (state IN ({states})) NOT VALID")


def each_partner(statement):
    """Again and again until nothing is left to write. Each statement commits."""
    connection = op.get_bind()
    for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant")).all():
        connection.execute(SCOPE, {"id": str(tenant_id)})
        while connection.execute(sa.text(statement)).rowcount:
            pass
    connection.execute(SCOPE, {"id": ""})
