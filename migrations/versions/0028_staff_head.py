"""How far the log of staff's own doings goes is signed, outside its table, as a partner's log has it.

Revision ID: 0028
Revises: 0027

"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

PEOPLE = "current_setting('app.scope', true) = 'people'"
SCOPE = sa.text("SELECT set_config('app.scope', :name, true)")
LAST = sa.text("SELECT position, hash FROM staff_event ORDER BY position DESC LIMIT 1")


def upgrade():
    op.create_table(
        "staff_head",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_staff_head_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_head")),
    )
    op.execute("ALTER TABLE staff_head ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE staff_head FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY people ON staff_head USING ({PEOPLE})")
    for name, when, each in (
        ("only_forward", "UPDATE OR DELETE", "ROW"),
        ("never_emptied", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON staff_head FOR EACH {each} EXECUTE FUNCTION only_forward()"
        )
    anchor_what_stands()


def anchor_what_stands():
    """Signs how far the log goes now."""
    from portal.access import staff_log
    from portal.models import StaffHead

    connection = op.get_bind()
    connection.execute(SCOPE, {"name": "people"})
    last = connection.execute(LAST).first()
    if last is not None:
        head = StaffHead(id=1, since=datetime.now(UTC))
        staff_log.sign(head, last.position, bytes(last.hash))
        names = ("id", "position", "hash", "since", "signed_by", "signature")
        values = ", ".join(f":{name}" for name in names)
        statement = f"INSERT INTO staff_head ({', '.join(names)}) VALUES ({values})"
        connection.execute(sa.text(statement), {name: getattr(head, name) for name in names})
    connection.execute(SCOPE, {"name": ""})


def downgrade():
    op.drop_table("staff_head")
