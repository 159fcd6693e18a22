"""The audit log is signed by a key outside the database, and its head stands outside its table.

Each partner's log as it stands is anchored here, once: later, a missing head is a finding. The release before this
one writes events without `signed_by`, which stay valid.

Revision ID: 0013
Revises: 0012

"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
LAST = sa.text("SELECT position, hash FROM audit_event WHERE tenant_id = :id ORDER BY position DESC LIMIT 1")
SCOPE = sa.text("SELECT set_config('app.tenant_id', :id, true)")


def upgrade():
    op.add_column("audit_event", sa.Column("signed_by", sa.Text(), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_audit_head_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_head")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_audit_head_tenant_id")),
    )
    op.execute("ALTER TABLE audit_head ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_head FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON audit_head USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    refuse_to_forget()
    anchor_what_stands()


def refuse_to_forget():
    op.execute(
        """CREATE FUNCTION only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.position > OLD.position AND NEW.since = OLD.since THEN RETURN NEW; END IF;
            RAISE EXCEPTION 'The head of an audit log only moves forward.';
        END $$"""
    )
    op.execute(
        """CREATE TRIGGER only_forward BEFORE UPDATE OR DELETE ON audit_head
        FOR EACH ROW EXECUTE FUNCTION only_forward()"""
    )
    for table, function in (("audit_head", "only_forward"), ("audit_event", "refuse_change")):
        op.execute(
            f"""CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {function}()"""
        )


def anchor_what_stands():
    """Signs how far each partner's log goes now."""
    from portal.access.audit_chain import new_head

    connection, since = op.get_bind(), datetime.now(UTC)
    for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant")).all():
        connection.execute(SCOPE, {"id": str(tenant_id)})
        last = connection.execute(LAST, {"id": tenant_id}).first()
        if last is not None:
            head = new_head(tenant_id, last.position, bytes(last.hash), since)
            connection.execute(
                sa.text(
                    "INSERT INTO audit_head (tenant_id, position, hash, since, signed_by, signature)"
                    " VALUES (:tenant_id, :position, :hash, :since, :signed_by, :signature)"
                ),
                {
                    name: getattr(head, name)
                    for name in ("tenant_id", "position", "hash", "since", "signed_by", "signature")
                },
            )
    connection.execute(SCOPE, {"id": ""})


def downgrade():
    op.execute("DROP TRIGGER never_emptied ON audit_event")
    op.drop_table("audit_head")
    op.execute("DROP FUNCTION only_forward()")
    op.drop_column("audit_event", "signed_by")
