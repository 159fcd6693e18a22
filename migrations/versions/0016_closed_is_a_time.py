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


def upgrade():
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("delivery", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """CREATE FUNCTION open_closed_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.closed_at := NULL;
            RETURN NEW;
        END $$"""
    )
    op.execute(
        """CREATE TRIGGER open_closed BEFORE UPDATE OF state ON delivery FOR EACH ROW
        WHEN (NEW.closed_at IS NOT NULL AND NEW.state <> 'parked') EXECUTE FUNCTION open_closed_delivery()"""
    )
    each_partner("UPDATE delivery SET state = 'parked', closed_at = now() WHERE state = 'closed'")
    know(KNOWN)


def each_partner(statement):
    connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, true)")
    for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant")).all():
        connection.execute(scope, {"id": str(tenant_id)})
        connection.execute(sa.text(statement))
    connection.execute(scope, {"id": ""})


def downgrade():
    op.execute("SET LOCAL lock_timeout = '3s'")
    know(f"{KNOWN}, 'closed'")
    op.execute("DROP TRIGGER open_closed ON delivery")
    op.execute("DROP FUNCTION open_closed_delivery()")
    each_partner("UPDATE delivery SET state = 'closed' WHERE closed_at IS NOT NULL")
    op.drop_column("delivery", "closed_at")


def know(states):
    op.execute(f"ALTER TABLE delivery DROP CONSTRAINT {NAME}")
    op.execute(f"ALTER TABLE delivery ADD CONSTRAINT {NAME} CHECK (state IN ({states})) NOT VALID")
    op.execute(f"ALTER TABLE delivery VALIDATE CONSTRAINT {NAME}")
