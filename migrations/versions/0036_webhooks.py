"""What happens becomes events, written by triggers beside the change, and goes out to a partner's own addresses.

Triggers find every way by which money, invoices and exceptions change, in one statement however many rows change; where
nobody listens they write nothing. The release before is served by them, too.

Revision ID: 0036
Revises: 0035

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

# Whoever records a payment writes it first and its invoices afterwards.
IN_THE_WRITERS_ORDER = "LOCK TABLE payment, allocation, invoice, delivery, exception_item, integration IN SHARE ROW EXCLUSIVE MODE"
OWN_ROWS = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::bigint"
SYSTEM = "current_setting('app.scope', true) = 'system'"
KINDS = (
    "payment.recorded", "payment.settled", "payment.failed", "payment.refunded", "payment.deleted", "payment.confirmed",
    "invoice.created", "invoice.changed", "invoice.paid", "invoice.reopened", "invoice.voided",
    "exception.opened", "exception.closed", "integration.needs_reconnecting",
)  # fmt: skip
# What looks across partners sees who has something to send, and when.
STANDING = """
    CREATE VIEW webhook_standing AS
    SELECT w.tenant_id, w.id AS endpoint_id, w.state, w.rests_until, w.lease_until, w.off_since,
        (SELECT min(m.due_at) FROM webhook_message m
            WHERE m.tenant_id = w.tenant_id AND m.endpoint_id = w.id AND m.state = 'waiting') AS due_at
    FROM webhook_endpoint w WHERE w.state <> 'removed'"""
LET_IN = """
    DO $$ DECLARE role name; BEGIN
        FOR role IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
            WHERE table_schema = 'public' AND table_name = 'invoice' AND privilege_type = 'INSERT' AND grantee <> 'PUBLIC'
        LOOP
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO %I', role);
        END LOOP;
    END $$"""
# An event is for whoever has an endpoint, or a key that reads events.
HEARD = """
    CREATE FUNCTION events_are_heard(partner bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM webhook_endpoint WHERE tenant_id = partner AND state <> 'removed')
            OR EXISTS (SELECT FROM api_key
                WHERE tenant_id = partner AND revoked_at IS NULL AND 'events.read' = ANY (scopes))
    $$"""
# Locked whatever their state is: whoever switches one on waits for those who did not see it yet, and takes theirs along.
FAN_OUT = """
    WITH here AS (
        SELECT w.tenant_id, w.id, w.kinds, w.state FROM webhook_endpoint w
        WHERE w.tenant_id IN (SELECT n.tenant_id FROM new_rows n) AND w.state <> 'removed' ORDER BY w.id FOR KEY SHARE
    )
    INSERT INTO webhook_message (tenant_id, endpoint_id, event_id)
    SELECT n.tenant_id, h.id, n.id FROM new_rows n JOIN here h ON h.tenant_id = n.tenant_id
    WHERE h.state = 'on' AND n.kind = ANY (h.kinds) ORDER BY n.id, h.id;"""
OWNER = (
    """'customer_id', c.id, 'customer_autotask_id', c.autotask_id, 'customer_external_id', c.external_id"""
)
AMOUNTS = {"amount_due": "amount_due", "tax_raw": "tax"}
HEAD = ("number", "customer_id", "issued_on", "due_on", "currency", "amount_due", "tax_raw", "order_number")
INVOICE = f"""jsonb_build_object('id', n.id, 'autotask_id', n.autotask_id, 'external_id', n.external_id,
        'number', n.number, {OWNER}, 'issued_on', n.issued_on, 'due_on', n.due_on, 'currency', n.currency,
        'amount_due', n.amount_due::text, 'paid', n.paid_amount::text, 'credited', n.credited_amount::text,
        'settled_in_autotask', n.settled_amount::text,
        'outstanding', CASE WHEN n.is_voided THEN '0' ELSE n.outstanding::text END, 'status', n.status)"""
WITH_OWNER = "JOIN customer c ON c.tenant_id = n.tenant_id AND c.id = n.customer_id"
INTO = "INSERT INTO event (tenant_id, kind, subject_id, invoice_ids, data)"
CREATED = f"""
    {INTO} SELECT n.tenant_id, 'invoice.created', n.id, ARRAY[n.id], jsonb_build_object('invoice', {INVOICE})
    FROM new_rows n {WITH_OWNER} ORDER BY n.id;"""
# Taken away as if it never was, by undoing a file: for whoever has heard of it, it is void.
GONE = f"""
    {INTO} SELECT n.tenant_id, 'invoice.voided', n.id, ARRAY[n.id],
        jsonb_build_object('invoice', {INVOICE} || '{{"status": "voided", "outstanding": "0"}}')
    FROM new_rows n LEFT {WITH_OWNER} WHERE NOT n.is_voided ORDER BY n.id;"""
BEFORE = ", ".join(
    f"('{AMOUNTS.get(name, name)}', to_jsonb(o.{name}{'::text' if name in AMOUNTS else ''}), o.{name} IS DISTINCT FROM n.{name})"
    for name in HEAD
)
# What one transaction does and undoes, such as a raised total that Autotask's paid date settles again, is no event.
CHANGED = f"""
    WITH told AS (
        SELECT n.tenant_id, n.id, k.place, k.kind, jsonb_build_object('invoice', {INVOICE}) || CASE
            WHEN k.kind = 'invoice.changed' THEN jsonb_build_object('before',
                (SELECT jsonb_object_agg(b.name, b.value) FROM (VALUES {BEFORE}) AS b (name, value, differs) WHERE b.differs))
            ELSE '{{}}' END AS data
        FROM new_rows n JOIN old_rows o ON o.tenant_id = n.tenant_id AND o.id = n.id {WITH_OWNER}
        CROSS JOIN LATERAL (VALUES
            (1, 'invoice.changed', ({", ".join(f"n.{name}" for name in HEAD)})
                IS DISTINCT FROM ({", ".join(f"o.{name}" for name in HEAD)})),
            (2, 'invoice.voided', n.is_voided AND NOT o.is_voided),
            (3, 'invoice.paid', n.status = 'paid' AND o.status IN ('open', 'part_paid', 'voided')),
            (4, 'invoice.reopened', (o.status = 'paid' AND n.status IN ('open', 'part_paid'))
                OR (o.status = 'voided' AND n.status IN ('open', 'part_paid', 'credit')))
        ) AS k (place, kind, happened)
        WHERE k.happened
    ), undone AS (
        DELETE FROM event e USING told t
        WHERE e.tenant_id = t.tenant_id AND e.subject_id = t.id AND e.created_at = now() AND (e.kind, t.kind) IN (
            ('invoice.paid', 'invoice.reopened'), ('invoice.reopened', 'invoice.paid'))
        RETURNING e.subject_id, t.kind
    )
    {INTO} SELECT t.tenant_id, t.kind, t.id, ARRAY[t.id], t.data FROM told t
    WHERE NOT EXISTS (SELECT FROM undone u WHERE u.subject_id = t.id AND u.kind = t.kind) ORDER BY t.id, t.place"""
PAYMENTS = f"""
    CREATE FUNCTION write_payment_events(named text, partner bigint, ids bigint[]) RETURNS void LANGUAGE sql AS $$
        {INTO} SELECT p.tenant_id, named, p.id, a.invoice_ids, jsonb_build_object('payment', jsonb_build_object(
            'id', p.id, {OWNER}, 'amount', p.amount::text, 'currency', p.currency, 'method', p.method,
            'paid_on', p.paid_on, 'reference', p.reference, 'recorded_at', p.recorded_at, 'deleted_at', p.deleted_at,
            'state', CASE WHEN p.deleted_at IS NULL THEN 'recorded' ELSE 'deleted' END, 'allocations', a.parts))
        FROM payment p JOIN customer c ON c.tenant_id = p.tenant_id AND c.id = p.customer_id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(i.id), '{{}}') AS invoice_ids, coalesce(jsonb_agg(jsonb_build_object(
                'invoice_id', i.id, 'autotask_id', i.autotask_id, 'external_id', i.external_id, 'number', i.number,
                'amount', a.amount::text) ORDER BY a.id), '[]') AS parts
            FROM allocation a JOIN invoice i ON i.tenant_id = a.tenant_id AND i.id = a.invoice_id
            WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id
        ) AS a
        WHERE p.tenant_id = partner AND p.id = ANY (ids) ORDER BY p.id
    $$"""
OF_PAYMENTS = "PERFORM write_payment_events('{}', (SELECT min(tenant_id) FROM new_rows), ARRAY({}));"
# Whoever writes its parts one by one has the event written anew with each.
RECORDED = """DELETE FROM event e USING new_rows n WHERE e.tenant_id = n.tenant_id AND e.subject_id = n.payment_id
        AND e.kind = 'payment.recorded' AND e.created_at = now(); """ + OF_PAYMENTS.format(
    "payment.recorded", "SELECT DISTINCT n.payment_id FROM new_rows n"
)
BOTH = "FROM new_rows n JOIN old_rows o ON o.tenant_id = n.tenant_id AND o.id = n.id"
# Planned each time: the plan that a session keeps from its first row would compare each of many with each.
EACH_TIME = "EXECUTE $q${}$q${};"
DELETED_NOW = f"SELECT n.id {BOTH} WHERE n.deleted_at IS NOT NULL AND o.deleted_at IS NULL"
DELETED = EACH_TIME.format(f"SELECT ARRAY({DELETED_NOW})", " INTO ids") + OF_PAYMENTS.format(
    "payment.deleted", "SELECT unnest(ids)"
)
# Once a payment: nothing is to be told of its invoices any more, and at least one was read back. The last of them is confirmed
# or closed; of two that end side by side, the second waits for the first to commit, and reads only then.
ENDED = """(n.state = 'confirmed' AND o.state <> 'confirmed' AND n.wish_paid_on IS NOT NULL
            OR n.closed_at IS NOT NULL AND o.closed_at IS NULL)"""
OF_ITS = """SELECT FROM allocation b JOIN delivery d ON d.tenant_id = b.tenant_id AND d.invoice_id = b.invoice_id
            WHERE b.tenant_id = p.tenant_id AND b.payment_id = p.id"""
ENDED_NOW = f"SELECT ARRAY(SELECT n.invoice_id {BOTH} WHERE {ENDED})"
ALL_TOLD = OF_PAYMENTS.format(
    "payment.confirmed",
    f"""SELECT DISTINCT p.id FROM allocation a
        JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
        WHERE a.tenant_id = (SELECT min(tenant_id) FROM new_rows) AND a.invoice_id = ANY (ids)
        AND NOT EXISTS ({OF_ITS} AND d.state <> 'confirmed' AND d.closed_at IS NULL)
        AND EXISTS ({OF_ITS} AND d.state = 'confirmed' AND d.wish_paid_on IS NOT NULL)
        AND NOT EXISTS (SELECT FROM event e
            WHERE e.tenant_id = p.tenant_id AND e.subject_id = p.id AND e.kind = 'payment.confirmed')""",
)
CONFIRMED = f"""{EACH_TIME.format(ENDED_NOW, " INTO ids")} IF ids <> '{{}}' THEN
        PERFORM pg_advisory_xact_lock(8137, hashtext((SELECT min(tenant_id) FROM new_rows)::text));
        {ALL_TOLD}
    END IF;"""
AN_EXCEPTION = f"""
    {INTO} SELECT n.tenant_id, CASE n.state WHEN 'open' THEN 'exception.opened' ELSE 'exception.closed' END, n.id,
        CASE WHEN n.invoice_id IS NULL THEN '{{}}' ELSE ARRAY[n.invoice_id] END,
        jsonb_build_object('exception', jsonb_build_object('id', n.id, 'cause', n.cause, 'state', n.state,
            'invoice_id', n.invoice_id, 'opened_at', n.first_seen_at, 'closed_at', n.resolved_at)) """
OPENED = f"{AN_EXCEPTION} FROM new_rows n WHERE n.state = 'open' ORDER BY n.id;"
DECIDED = EACH_TIME.format(f"{AN_EXCEPTION} {BOTH} WHERE n.state <> o.state ORDER BY n.id", "")
# As people are told: once a second try was refused as well.
REFUSED = f"""
    {INTO} SELECT n.tenant_id, 'integration.needs_reconnecting', n.id, '{{}}', jsonb_build_object('integration',
        jsonb_build_object('id', n.id, 'kind', n.kind, 'state', n.state, 'reason', n.reconnect_reason,
            'since', n.reconnect_since))
    {BOTH} WHERE n.state = 'needs_reconnecting' AND n.probe_at IS NULL
        AND (o.state, o.probe_at) IS DISTINCT FROM (n.state, n.probe_at)"""
NEW, OLD = "NEW TABLE AS new_rows", "NEW TABLE AS new_rows OLD TABLE AS old_rows"
TRIGGERS = {
    ("invoice", "insert"): (NEW, CREATED),
    ("invoice", "update"): (OLD, EACH_TIME.format(CHANGED, "")),
    ("invoice", "delete"): ("OLD TABLE AS new_rows", GONE),
    ("allocation", "insert"): (NEW, RECORDED),
    ("payment", "update"): (OLD, DELETED),
    ("delivery", "update"): (OLD, CONFIRMED),
    ("exception_item", "insert"): (NEW, OPENED),
    ("exception_item", "update"): (OLD, DECIDED),
    ("integration", "update"): (OLD, EACH_TIME.format(REFUSED, "")),
}
TABLES = ("event", "webhook_endpoint", "webhook_secret", "webhook_message")


def upgrade():
    op.execute(IN_THE_WRITERS_ORDER)
    make_events()
    make_endpoints()
    make_secrets()
    make_messages()
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({OWN_ROWS}) WITH CHECK ({OWN_ROWS})")
        op.execute(LET_IN.replace("{name}", table))
    for table in ("webhook_endpoint", "webhook_message"):
        op.execute(f"CREATE POLICY system_reads ON {table} FOR SELECT TO CURRENT_USER USING ({SYSTEM})")
    op.execute(STANDING)
    for function in (HEARD, PAYMENTS):
        op.execute(function)
    trigger("event", "insert", NEW, FAN_OUT, heard="")
    for (table, change), (rows, statement) in TRIGGERS.items():
        trigger(table, change, rows, statement)


def trigger(
    table, change, rows, statement, heard="IF events_are_heard((SELECT min(tenant_id) FROM new_rows)) THEN"
):
    name = f"write_{table}_events_{change}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" DECLARE ids bigint[]; BEGIN {heard} {statement} {'END IF;' if heard else ''} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER write_events_{change} AFTER {change.upper()} ON {table} REFERENCING {rows}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def make_events():
    op.create_table(
        "event",
        text("kind"),
        number("subject_id"),
        sa.Column("invoice_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        number("place", nullable=True),
        moment("created_at", "now()"),
        *of_a_partner("event"),
        sa.CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name=op.f("ck_event_kind_known")),
        sa.UniqueConstraint("tenant_id", "place", name=op.f("uq_event_tenant_id_place")),
    )
    op.create_index(op.f("ix_event_tenant_id_subject_id"), "event", ["tenant_id", "subject_id"])
    op.create_index("ix_event_new", "event", ["tenant_id", "id"], postgresql_where=sa.text("place IS NULL"))


def make_endpoints():
    states = "'on', 'paused', 'switched_off', 'removed'"
    op.create_table(
        "webhook_endpoint",
        text("url"),
        text("name"),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        text("state"),
        moment("rests_until", "now()"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        moment("failing_since"),
        moment("off_since"),
        text("lease_token", nullable=True),
        moment("lease_until"),
        moment("created_at", "now()"),
        number("created_by_id", nullable=True),
        *of_a_partner("webhook_endpoint"),
        sa.CheckConstraint(f"state IN ({states})", name=op.f("ck_webhook_endpoint_state_known")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["app_user.id"], name=op.f("fk_webhook_endpoint_created_by_id")
        ),
    )
    op.create_index(
        "uq_webhook_endpoint_url", "webhook_endpoint", ["tenant_id", "url"], unique=True,
        postgresql_where=sa.text("state <> 'removed'"),
    )  # fmt: skip


def make_secrets():
    op.create_table(
        "webhook_secret",
        number("endpoint_id"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        moment("created_at", "now()"),
        moment("ends_at"),
        *of_a_partner("webhook_secret"),
        belongs_to("webhook_secret", "endpoint_id", "webhook_endpoint"),
    )
    op.create_index(
        op.f("ix_webhook_secret_tenant_id_endpoint_id"), "webhook_secret", ["tenant_id", "endpoint_id"]
    )


def make_messages():
    op.create_table(
        "webhook_message",
        number("endpoint_id"),
        number("event_id"),
        text("state", server_default="waiting"),
        moment("due_at", "now()"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answers", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        moment("sent_at"),
        *of_a_partner("webhook_message"),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'given_up')", name=op.f("ck_webhook_message_state_known")
        ),
        belongs_to("webhook_message", "endpoint_id", "webhook_endpoint"),
        belongs_to("webhook_message", "event_id", "event"),
        sa.UniqueConstraint(
            "tenant_id",
            "event_id",
            "endpoint_id",
            name=op.f("uq_webhook_message_tenant_id_event_id_endpoint_id"),
        ),
    )
    waiting = sa.text("state = 'waiting'")
    place = ["tenant_id", "endpoint_id"]
    op.create_index(
        op.f("ix_webhook_message_tenant_id_endpoint_id_event_id"), "webhook_message", [*place, "event_id"]
    )
    for name in ("due_at", "event_id"):
        columns = [*place, name]
        op.create_index(f"ix_webhook_message_{name}", "webhook_message", columns, postgresql_where=waiting)


def of_a_partner(table):
    return (
        number("tenant_id"),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"pk_{table}")),
    )


def belongs_to(table, column, other):
    return sa.ForeignKeyConstraint(
        ["tenant_id", column], [f"{other}.tenant_id", f"{other}.id"], ondelete="CASCADE",
        name=op.f(f"fk_{table}_tenant_id_{column}"),
    )  # fmt: skip


def text(name, nullable=False, **more):
    return sa.Column(name, sa.Text(), nullable=nullable, **more)


def number(name, nullable=False):
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def moment(name, filled=""):
    default = {"server_default": sa.text(filled)} if filled else {}
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not filled, **default)


def downgrade():
    op.execute(IN_THE_WRITERS_ORDER)
    for table, change in [*TRIGGERS, ("event", "insert")]:
        op.execute(f"DROP TRIGGER write_events_{change} ON {table}")
        op.execute(f"DROP FUNCTION write_{table}_events_{change}()")
    op.execute("DROP FUNCTION write_payment_events(text, bigint, bigint[])")
    op.execute("DROP FUNCTION events_are_heard(bigint)")
    op.execute("DROP VIEW webhook_standing")
    for table in reversed(TABLES):
        op.drop_table(table)
