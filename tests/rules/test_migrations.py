"""Expand, then contract a release later: nothing that the last release maps is dropped, renamed or tightened.

What it maps stands in migrations/released.json (docs/migrations.md).
"""

import ast
import copy
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import CheckConstraint, MetaData

from portal import clock
from portal.cli.schema import RELEASED, described
from portal.extensions import db
from portal.models import DeliveryState
from portal.models.base import Base, one_of
from tests.fixtures.servers import ROOT, settings

# A rule that is new on a table of the last release, and why what that release writes never breaks it.
HARMLESS: dict[str, str] = {
    "ex_support_visit_one_at_a_time": (
        "The last release refuses a second visit in one browser; from two browsers at once, which nobody may do, "
        "its second one ends in an error page and changes nothing."
    ),
    "uq_app_user_id_is_staff": "The id alone is unique.",
    **dict.fromkeys(
        ("uq_customer_external_id", "uq_invoice_external_id"), "The last release writes no external id."
    ),
    **dict.fromkeys(
        (
            "ck_membership_never_staff",
            "fk_membership_user_id_person_is_staff",
            "ck_support_visit_never_staff",
            "fk_support_visit_as_user_id_person_is_staff",
        ),
        "The last release leaves the column as the database fills it, and makes no staff person a member either.",
    ),
    **dict.fromkeys(
        (
            "ck_payment_ended_as_known",
            "ck_payment_ended_is_deleted",
            "ck_payment_pending_not_settled",
            "ck_payment_refunded_amount_bounded",
            "ck_payment_settled_with_time",
            "ck_invoice_pending_amount_bounded",
        ),
        "Of columns that the last release leaves as the database fills them.",
    ),
    "ck_allocation_amount_bounded": "It takes nothing as well, and all that it took.",
    "ck_app_user_administrators_are_staff": "Of a column that the last release does not know.",
    "ck_tenant_act_a_week_at_most": "Of columns that the last release does not know.",
    "fk_tenant_support_act_given_by_id": "Of columns that the last release does not know.",
}
# (before, now) types: whatever the last release writes and expects fits the new one.
WIDER = {
    ("integer", "bigint"),
    ("smallint", "integer"),
    ("smallint", "bigint"),
    ("character varying", "text"),
}
QUOTED = re.compile(r"'([^']*)'")
WORDS = re.compile(r"'([^']*)'::text")


def breaks(before: dict, now: dict) -> list[str]:
    """What of `now` the release of `before` cannot live with, a sentence each."""
    found = []
    for table, old in before.items():
        if table not in now:
            found.append(f"The table {table} is gone.")
            continue
        found += [f"{table}: {said}" for said in broken_columns(old["columns"], now[table]["columns"])]
        found += [f"{table}: {said}" for said in broken_rules(old["rules"], now[table]["rules"])]
    return found


def broken_columns(old: dict[str, str], new: dict[str, str]) -> list[str]:
    found = [f"the column {name} is gone." for name in old if name not in new]
    for name, now in new.items():
        kind, *marks = now.split(", ")
        if name not in old:
            if "required" in marks and "filled" not in marks:
                found.append(f"the new column {name} must be filled by whoever inserts.")
            continue
        kind_before, *marks_before = old[name].split(", ")
        if kind != kind_before and not is_wider(kind_before, kind):
            found.append(f"{name} was {kind_before} and is {kind}.")
        if "required" in marks and "required" not in marks_before:
            found.append(f"{name} may not be empty any more.")
        if "filled" in marks_before and "filled" not in marks and "required" in marks:
            found.append(f"{name} is not filled by the database any more.")
    return found


def is_wider(before: str, now: str) -> bool:
    if (re.sub(r"\(.*\)", "", before), now) in WIDER:
        return True
    numbers = [re.fullmatch(r"numeric\((\d+),(\d+)\)", kind) for kind in (before, now)]
    lengths = [re.fullmatch(r"character varying\((\d+)\)", kind) for kind in (before, now)]
    if all(numbers):
        (digits, scale), (more, finer) = (map(int, match.groups()) for match in numbers)
        return finer >= scale and more - finer >= digits - scale
    return all(lengths) and int(lengths[1][1]) >= int(lengths[0][1])


def broken_rules(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Rules of the database that are new or say something else; a longer list of words is no narrower."""
    found = []
    for name, rule in new.items():
        if name in HARMLESS or old.get(name) == rule:
            continue
        if name in old and only_more_words(old[name], rule):
            continue
        found.append(f"the rule {name} is {'another' if name in old else 'new'}: {rule}")
    # ON CONFLICT names a unique rule, and fails without it.
    found += [
        f"the rule {name} is gone." for name, rule in old.items() if name not in new and "UNIQUE" in rule
    ]
    return found


def only_more_words(before: str, now: str) -> bool:
    same = WORDS.sub("", before).replace(", ", "") == WORDS.sub("", now).replace(", ", "")
    return same and set(WORDS.findall(before)) <= set(WORDS.findall(now))


def written_words(metadata: MetaData) -> dict[str, dict[str, set[str]]]:
    """By table and rule: the words that this release's models write into a column which takes words."""
    return {
        table.name: {
            str(rule.name): set(QUOTED.findall(str(rule.sqltext)))
            for rule in table.constraints
            if isinstance(rule, CheckConstraint) and str(rule.name).endswith("_known")
        }
        for table in metadata.tables.values()
    }


def unknown_words(before: dict, written: dict[str, dict[str, set[str]]]) -> list[str]:
    """What the last release would meet in a column of its own and has no word for: its pages end in an error."""
    return [
        f"{table}: {rule} lets this release write {word!r}, which the last one does not know."
        for table, old in before.items()
        for rule, words in written.get(table, {}).items()
        for word in sorted(words - set(WORDS.findall(old["rules"].get(rule, ""))))
        if rule in old["rules"] or rule.removesuffix("_known").removeprefix(f"ck_{table}_") in old["columns"]
    ]


RELEASE = json.loads(RELEASED.read_text())["tables"]


def test_no_migration_takes_away_what_the_last_release_maps(app):
    with app.app_context():
        assert breaks(RELEASE, described(db.session.connection())) == []


def planted(change) -> list[str]:
    now = copy.deepcopy(RELEASE)
    change(now)
    return breaks(RELEASE, now)


def set_column(table, name, value):
    return lambda now: now[table]["columns"].__setitem__(name, value)


def set_rule(table, name, value):
    return lambda now: now[table]["rules"].__setitem__(name, value)


STATES = "CHECK ((state = ANY (ARRAY['waiting'::text, 'sending'::text, 'confirmed'::text{}])))"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda now: now.pop("contact"), "contact is gone"),
        (lambda now: now["contact"]["columns"].pop("email"), "email is gone"),
        (lambda now: now["contact"]["columns"].update(mail=now["contact"]["columns"].pop("email")), "is gone"),
        (set_column("contact", "email", "bigint, required, filled"), "was text and is bigint"),
        (set_column("invoice", "amount_due", "numeric(12,4), required"), "was numeric(18,4)"),
        (set_column("tenant", "slug", "character varying(30), required"), "was character varying(60)"),
        (set_column("invoice", "due_on", "date, required"), "may not be empty any more"),
        (set_column("invoice", "new_one", "date, required"), "must be filled by whoever inserts"),
        (set_column("invoice", "comments", "text, required"), "not filled by the database any more"),
        (set_rule("payment", "ck_new", "CHECK ((amount > 1))"), "ck_new is new"),
        (set_rule("payment", "uq_new", "CREATE UNIQUE INDEX uq_new ON payment (paid_on)"), "uq_new is new"),
        (set_rule("delivery", "ck_delivery_state_known", STATES.format("")), "is another"),
        (lambda now: now["tenant"]["rules"].pop("uq_tenant_slug"), "uq_tenant_slug is gone"),
    ],
)  # fmt: skip
def test_the_guard_sees_what_would_break_the_last_release(change, said):
    [sentence] = planted(change)
    assert said in sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda now: now.update(
            brand_new={"columns": {"id": "bigint, required"}, "rules": {"ck": "CHECK (x)"}}
        ),
        set_column("invoice", "new_one", "date"),
        set_column("invoice", "new_one", "date, required, filled"),
        set_column("invoice", "amount_due", "numeric(20,4), required"),
        set_column("tenant", "slug", "text, required"),
        set_rule("delivery", "ck_delivery_state_known", STATES.format(", 'parked'::text, 'put_aside'::text")),
        lambda now: now["delivery"]["rules"].pop("fk_delivery_tenant_id"),
    ],
)
def test_the_guard_lets_expansions_pass(change):
    assert planted(change) == []


def test_no_state_is_written_that_the_last_release_does_not_know(app):
    """The database may know more words, for the release after this one (docs/migrations.md)."""
    written = written_words(Base.metadata)
    assert "parked" in written["delivery"]["ck_delivery_state_known"]
    assert unknown_words(RELEASE, written) == []
    with app.app_context():
        now = described(db.session.connection())
    for table, rules in written.items():
        for rule, words in rules.items():
            assert words <= set(WORDS.findall(now[table]["rules"][rule])), rule


def test_the_guard_sees_a_state_that_the_last_release_does_not_know():
    written = copy.deepcopy(written_words(Base.metadata))
    rule = one_of("state", DeliveryState)  # with "closed", which is told by a column of its own
    written["delivery"]["ck_delivery_state_known"] = set(QUOTED.findall(str(rule.sqltext)))
    [sentence] = unknown_words(RELEASE, written)
    assert "'closed', which the last one does not know" in sentence


VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"


def blocking_indexes(source: str) -> list[int]:
    """The lines of indexes that are built on a table of an earlier migration while nobody may write to it."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [(getattr(call.func, "attr", ""), call) for call in calls]
    new = {ast.unparse(call.args[0]) for name, call in named if name == "create_table"}
    return [
        call.lineno
        for name, call in named
        if name == "create_index"
        and ast.unparse(call.args[1]) not in new
        and "postgresql_concurrently" not in {one.arg for one in call.keywords}
    ]


def test_an_index_on_a_table_in_use_is_built_while_it_is_used():
    """From 0022 on: those before were built while the tables were new."""
    paths = [path for path in sorted(VERSIONS.glob("*.py")) if path.name >= "0022"]
    assert paths
    assert {path.name: lines for path in paths if (lines := blocking_indexes(path.read_text()))} == {}


def test_the_guard_sees_an_index_that_stops_all_writing():
    new = 'op.create_table("a")\nop.create_index("i", "a", ["x"])\n'
    assert blocking_indexes(new + 'op.create_index("j", "invoice", ["x"])') == [3]


# Tables that grow with a partner's business.
LARGE = (
    "invoice", "invoice_line", "invoice_pdf", "invoice_past", "customer", "customer_past", "contact", "payment",
    "allocation", "settlement", "delivery", "delivery_attempt", "audit_event", "sync_change", "exception_item",
)  # fmt: skip
REWRITES = re.compile(rf"VALIDATE CONSTRAINT|UPDATE ({'|'.join(LARGE)})\b(?!\s+(OF|ON)\b)", re.IGNORECASE)


def locking_statements(source: str) -> list[int]:
    """Lines of what reads or rewrites a large table while the locks of the whole migration are held."""
    tree = ast.parse(source)
    steps = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and "autocommit_block" in ast.unparse(node.items[0])
    ]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and reads_all_of_a_table(node)]
    texts = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and REWRITES.match(node.value.strip()))
        or (isinstance(node, ast.JoinedStr) and REWRITES.search(ast.unparse(node)))
    ]  # fmt: skip
    lines = {node.lineno for node in (*calls, *texts)}
    return sorted(line for line in lines if not any(first <= line <= last for first, last in steps))


def reads_all_of_a_table(call: ast.Call) -> bool:
    """A new rule that is checked at once for all rows of a large table."""
    named = getattr(call.func, "attr", "")
    tables = [one.value for one in call.args if isinstance(one, ast.Constant)]
    return (
        named in ("create_check_constraint", "create_foreign_key")
        and any(table in LARGE for table in tables[1:2])
        and "postgresql_not_valid" not in {one.arg for one in call.keywords}
    )


def test_large_tables_are_looked_through_and_rewritten_in_steps_of_their_own():
    """From 0010 on: while a statement runs, payments and syncs go on."""
    paths = [path for path in sorted(VERSIONS.glob("*.py")) if path.name >= "0010"]
    assert {path.name: lines for path in paths if (lines := locking_statements(path.read_text()))} == {}


@pytest.mark.parametrize(
    "planted",
    [
        'op.execute(f"ALTER TABLE delivery VALIDATE CONSTRAINT {NAME}")',
        "each_partner(\"UPDATE delivery SET state = 'parked'\")",
        'op.execute(f"UPDATE invoice SET number = {x}")',
        'op.create_check_constraint("ck", "payment", "amount > 0")',
    ],
)
def test_the_guard_sees_a_long_lock(planted):
    assert locking_statements(planted) == [1]
    assert locking_statements(f"with op.get_context().autocommit_block():\n    {planted}") == []


def test_a_migration_waits_for_locks_as_long_as_env_says():
    """From 0008 on: longer, and a payment could be what PostgreSQL ends; only what keeps nobody waiting may."""
    for path in sorted(VERSIONS.glob("*.py")):
        if path.name >= "0008":
            assert set(re.findall(r"SET.* lock_timeout = '(\w+)'", path.read_text())) <= {"60s", "800ms"}, (
                path.name
            )
            assert "SET LOCAL lock_timeout" not in path.read_text(), path.name


def test_a_migration_gives_way_to_who_is_at_work_and_is_tried_again(
    empty_database, redis_url, superuser_of, python
):
    migrate = migrations_of(empty_database, redis_url, python)
    migrate("0009")
    with superuser_of(empty_database) as watching, psycopg.connect(empty_database) as working:
        working.execute("SELECT set_config('app.tenant_id', '1', false)")
        working.execute("LOCK TABLE delivery IN ROW EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as beside:
            said = beside.submit(migrate, "0010")
            waits_twice(watching)
            working.rollback()
            assert "Somebody works on what a migration changes" in said.result()
        assert watching.execute("SELECT version_num FROM alembic_version").fetchone() == ("0010",)


def waits_twice(watching):
    """Returns once somebody waited for a lock, gave up, and waits again."""
    asked = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = clock.monotonic() + 120
    for wanted in (True, False, True):
        while watching.execute(asked).fetchone() != (wanted,):
            assert clock.monotonic() < until


def test_closed_deliveries_are_put_aside_in_steps_that_may_be_run_again(
    empty_database, redis_url, superuser_of, python
):
    """0016 on rows of the release before, and once more as after a step that was cut short."""
    migrate = migrations_of(empty_database, redis_url, python)
    migrate("0015")
    with superuser_of(empty_database) as database:
        database.execute(
            "SET session_replication_role = replica"
        )  # the rows alone, without what they belong to
        database.execute(
            "INSERT INTO tenant (id, slug, name) OVERRIDING SYSTEM VALUE VALUES (1, 'a', 'A'), (2, 'b', 'B')"
        )
        database.execute(
            "INSERT INTO delivery (tenant_id, invoice_id, state, wish_version, wished_at)"
            " SELECT 1 + n % 2, n, CASE WHEN n < 7 THEN 'closed' ELSE 'parked' END, 1, now()"
            " FROM generate_series(1, 9) n"
        )
        migrate("0016")
        database.execute("UPDATE alembic_version SET version_num = '0015'")
        migrate("0016")
        found = database.execute(
            "SELECT state, closed_at IS NOT NULL, count(*) FROM delivery GROUP BY 1, 2 ORDER BY 2"
        )
        assert found.fetchall() == [("parked", False, 3), ("parked", True, 6)]
        checked = "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_delivery_state_known'"
        assert database.execute(checked).fetchone() == (True,)


def migrations_of(address, redis_url, python):
    def migrate(revision):
        words = [python, "-m", "flask", "--app", "wsgi", "db", "upgrade", revision]
        done = subprocess.run(
            words, env=settings(address, redis_url) | {"PATH": ""}, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    return migrate


@pytest.fixture
def superuser_of(servers):
    def connect(address):
        name = address.rpartition("/")[2]
        return psycopg.connect(servers.database(name, "postgres"), autocommit=True)

    return connect
