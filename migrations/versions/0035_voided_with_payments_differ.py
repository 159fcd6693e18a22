"""Voided invoices that payments or credits here still stand against differ from Autotask.

Those that are here already, partner by partner; it can be run again.

Revision ID: 0035
Revises: 0034

"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        connection, scope = op.get_bind(), sa.text("SELECT set_config('app.tenant_id', :id, false)")
        for tenant_id in connection.scalars(sa.text("SELECT id FROM tenant ORDER BY id")).all():
            connection.execute(scope, {"id": str(tenant_id)})
            connection.execute(
                sa.text("""UPDATE invoice SET agreement = 'differs'
                    WHERE tenant_id = :id AND is_voided AND paid_amount + credited_amount > 0
                        AND agreement <> 'differs'"""),
                {"id": tenant_id},
            )
        connection.execute(scope, {"id": ""})


def downgrade():
    pass
