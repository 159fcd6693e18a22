"""A delivery that becomes due tells the poller when its transaction commits.

Revision ID: 0005
Revises: 0004

"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """CREATE FUNCTION ring_for_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_notify('delivery_due', NEW.tenant_id::text); RETURN NULL; END $$"""
    )
    op.execute(
        """CREATE TRIGGER ring AFTER INSERT OR UPDATE OF state, wish_version ON delivery
        FOR EACH ROW WHEN (NEW.state = 'waiting' AND NEW.next_try_at <= now())
        EXECUTE FUNCTION ring_for_delivery()"""
    )


def downgrade():
    op.execute("DROP FUNCTION ring_for_delivery() CASCADE")
