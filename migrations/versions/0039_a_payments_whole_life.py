"""What becomes of a payment: its money arrives, comes back, or is refunded, each an event with its date.

Revision ID: 0039
Revises: 0038

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
ENDS = "'failed', 'refunded', 'charged_back'"
CLOSED = "'paid_there', 'voided', 'archived', 'missing'"
LARGEST = "99999999999"
# Each may be run again where the step after it was cut short.
RULES = {
    "payment": {
        "ck_payment_ended_as_known": f"ended_as IN ({ENDS})",
        "ck_payment_ended_is_deleted": "ended_as IS NULL OR deleted_at IS NOT NULL",
        "ck_payment_settled_with_time": "(settled_on IS NULL) = (settled_at IS NULL)",
        "ck_payment_pending_not_settled": "NOT pending OR settled_on IS NULL",
        "ck_payment_refunded_amount_bounded": f"refunded_amount BETWEEN 0 AND {LARGEST}",
    },
    "invoice": {"ck_invoice_pending_amount_bounded": f"pending_amount BETWEEN 0 AND {LARGEST}"},
    # What is refunded whole of one invoice leaves nothing there.
    "allocation": {"ck_allocation_amount_bounded": f"amount BETWEEN 0 AND {LARGEST}"},
}


INDEXES = {
    "ix_payment_pending": (["tenant_id", "recorded_at", "id"], "pending AND deleted_at IS NULL"),
    "ix_payment_reference": (["tenant_id", "reference"], "reference <> ''"),
}
STATE = "CASE WHEN p.deleted_at IS NULL THEN 'recorded' ELSE 'deleted' END"
WHOLE_STATE = """CASE WHEN p.deleted_at IS NOT NULL THEN coalesce(p.ended_as, 'deleted') WHEN p.pending THEN 'pending'
            WHEN p.refunded_amount > 0 THEN 'part_refunded' WHEN p.settled_on IS NOT NULL THEN 'settled'
            ELSE 'recorded' END, 'recorded_amount', (p.amount + p.refunded_amount)::text, 'settled_on', p.settled_on,
            'event', (SELECT jsonb_build_object('kind', e.kind, 'on', e.happened_on, 'amount', e.amount::text,
                    'reason', e.reason)
                FROM payment_event e WHERE e.tenant_id = p.tenant_id AND e.payment_id = p.id
                    AND named IN ('payment.settled', 'payment.failed', 'payment.refunded') ORDER BY e.id DESC LIMIT 1)"""
CAUSE = "'cause', n.cause"
# What the functions of 0036 say, and what they say from now on.
REWORDED = (
    ("write_payment_events", STATE, WHOLE_STATE),
    ("write_payment_events_update", "o.deleted_at IS NULL", "o.deleted_at IS NULL AND n.ended_as IS NULL"),
    *(
        (
            f"write_exception_item_events_{change}",
            CAUSE,
            "'cause', CASE n.subject_type WHEN 'payment' THEN 'came_back' ELSE n.cause END",
        )
        for change in ("insert", "update")
    ),
)
TOLD = {
    "payment.settled": "'settled'",
    "payment.failed": "'failed'",
    "payment.refunded": "'refunded', 'charged_back'",
}
WRITE = " ".join(
    f"PERFORM write_payment_events('{named}', (SELECT min(tenant_id) FROM new_rows),"
    f" ARRAY(SELECT DISTINCT n.payment_id FROM new_rows n WHERE n.kind IN ({kinds})));"
    for named, kinds in TOLD.items()
)


def upgrade():
    # There already where this was cut short while the rules were added.
    if not sa.inspect(op.get_bind()).has_table("payment_event_part"):
        make_all()
    add_rules()
    index_payments()


def tell_others():
    """Webhooks and readers of events hear of each, in the transaction that writes it."""
    for name, before, now in REWORDED:
        reword(name, before, now)
    op.execute(
        "CREATE FUNCTION write_payment_event_events_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF events_are_heard((SELECT min(tenant_id) FROM new_rows)) THEN {WRITE} END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER write_events_insert AFTER INSERT ON payment_event REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION write_payment_event_events_insert()"
    )


def reword(name, before, now):
    connection = op.get_bind()
    found = connection.scalar(
        sa.text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :name"), {"name": name}
    )
    assert found.count(before) == 1, name
    connection.exec_driver_sql(found.replace(before, now))


def make_all():
    for name in ("pending", "held"):
        op.add_column("payment", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("payment", sa.Column("settled_on", sa.Date(), nullable=True))
    op.add_column("payment", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payment", sa.Column("ended_as", sa.Text(), nullable=True))
    for table, name in (("payment", "refunded_amount"), ("invoice", "pending_amount")):
        op.add_column(table, sa.Column(name, sa.Numeric(18, 4), server_default="0", nullable=False))
    op.add_column(
        "tenant",
        sa.Column("held_methods", postgresql.ARRAY(sa.Text()), server_default="{ach}", nullable=False),
    )
    make_events()
    make_parts()
    for table in ("payment_event", "payment_event_part"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
    tell_others()


def make_events():
    op.create_table(
        "payment_event",
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 4), nullable=False),
        sa.Column("ends", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("recorded_by_id", sa.BigInteger(), nullable=True),
        *of_a_partner("payment_event"),
        belongs_to("payment_event", "payment_id", "payment"),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["app_user.id"], name=op.f("fk_payment_event_recorded_by_id")
        ),
        sa.CheckConstraint(f"kind IN ('settled', {ENDS})", name=op.f("ck_payment_event_kind_known")),
        bounded("payment_event"),
    )
    op.create_index(
        op.f("ix_payment_event_tenant_id_payment_id"), "payment_event", ["tenant_id", "payment_id"]
    )


def make_parts():
    op.create_table(
        "payment_event_part",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 4), nullable=False),
        sa.Column("closed_as", sa.Text(), nullable=True),
        *of_a_partner("payment_event_part"),
        belongs_to("payment_event_part", "event_id", "payment_event"),
        belongs_to("payment_event_part", "invoice_id", "invoice"),
        sa.CheckConstraint(f"closed_as IN ({CLOSED})", name=op.f("ck_payment_event_part_closed_as_known")),
        bounded("payment_event_part"),
    )
    for column in ("event_id", "invoice_id"):
        name = op.f(f"ix_payment_event_part_tenant_id_{column}")
        op.create_index(name, "payment_event_part", ["tenant_id", column])


def of_a_partner(table):
    return (
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{table}")),
    )


def belongs_to(table, column, other):
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{other}.tenant_id", f"{other}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
    )


def bounded(table):
    return sa.CheckConstraint(f"amount BETWEEN 0.0001 AND {LARGEST}", name=op.f(f"ck_{table}_amount_bounded"))


def index_payments():
    """While they are built, the release before goes on."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '60s'")
        for name, (columns, where) in INDEXES.items():
            op.drop_index(name, table_name="payment", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, "payment", columns, postgresql_concurrently=True, postgresql_where=sa.text(where)
            )
        op.execute("SET lock_timeout = '800ms'")


def add_rules():
    """Added in an instant, then held against the rows that are here while everybody goes on."""
    with op.get_context().autocommit_block():
        for table, rules in RULES.items():
            for name, rule in rules.items():
                op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
                op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
                op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade():
    for name, before, now in REWORDED:
        reword(name, now, before)
    op.execute("DROP TRIGGER write_events_insert ON payment_event")
    op.execute("DROP FUNCTION write_payment_event_events_insert()")
    op.drop_table("payment_event_part")
    op.drop_table("payment_event")
    op.drop_column("tenant", "held_methods")
    op.drop_column("invoice", "pending_amount")
    op.drop_index("ix_payment_reference", table_name="payment")
    for name in ("pending", "held", "settled_on", "settled_at", "ended_as", "refunded_amount"):
        op.drop_column("payment", name)
    op.execute("ALTER TABLE allocation DROP CONSTRAINT ck_allocation_amount_bounded")
    op.execute(
        "ALTER TABLE allocation ADD CONSTRAINT ck_allocation_amount_bounded"
        f" CHECK (amount BETWEEN 0.0001 AND {LARGEST}) NOT VALID"
    )
