"""Lists of what is owed, their sums, and deliveries find their way by indexes, however much a partner has."""

import re
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from bench import books
from portal.extensions import db
from tests import factories

SIZES = (2_000, 5_000, 12_000)
PAGES = (
    "", "invoices", "invoices?show=all", "invoices?show=every", "invoices?show=overdue", "invoices?show=part_paid",
    "invoices?show=paid", "invoices?show=archived", "invoices?show=all&agreement=differs", "customers", "deliveries",
    "deliveries?show=all",
)  # fmt: skip
# Behind row-level security: an index for a pattern would stand there unused.
SEARCHES = {
    "invoices?q=INV-100001": "ix_invoice_word_tenant_id_word_invoice_id",
    "payments?q=check+7": "ix_payment_word_tenant_id_word_payment_id",
    "search?q=INV-100001": "ix_invoice_word_tenant_id_word_invoice_id",
}
TABLES = (
    "invoice", "payment", "delivery", "customer", "allocation", "invoice_sum", "customer_sum", "payment_sum",
    "invoice_word", "payment_word",
)  # fmt: skip
WHOLE = ("Seq Scan on invoice ", "Seq Scan on payment ", "Seq Scan on delivery ")


TRIGGERS = """
    SELECT p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public' AND p.prorettype = 'trigger'::regtype"""
BOTH = re.compile(r"(?:new_rows \w+|old_rows \w+)\s*(?:JOIN|,)\s*(?:new_rows|old_rows)")
PLANNED_EACH_TIME = re.compile(r"EXECUTE \$q\$.*?\$q\$", re.DOTALL)
NOT_SEEN_BY_ALL = """
    SELECT relname, relpages, relallvisible FROM pg_class
    WHERE oid = ANY(%s::regclass[]) AND relallvisible < relpages"""
WHO_HOLDS = """
    SELECT pid, datname, state, backend_xid, backend_xmin, now() - xact_start, left(query, 200) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)"""


@pytest.mark.parametrize("size", SIZES)
def test_no_plan_of_a_list_reads_a_whole_table_nor_is_compiled(
    app: Flask, log_in: Callable[..., FlaskClient], superuser: psycopg.Connection[Any], size: int
) -> None:
    with app.app_context():
        partner = factories.tenant("northwind")
        with factories.inside(partner):
            source = factories.integration(app).id
        books.fill(superuser, partner.id, source, size)
        vacuum(superuser)
        owner = log_in(partner, "owner")
    for page in PAGES:
        plans = plans_of(app, lambda at=page: owner.get(f"/p/northwind/{at}"))  # type: ignore[misc]
        assert len(plans) > 2
        assert [plan for plan in plans if "JIT:" in plan or any(one in plan for one in WHOLE)] == [], page
    for page, index in SEARCHES.items():
        plans = plans_of(app, lambda at=page: owner.get(f"/p/northwind/{at}"))  # type: ignore[misc]
        assert [plan for plan in plans if index in plan and "Index Cond: ((tenant_id = " in plan], page


def vacuum(superuser: psycopg.Connection[Any]) -> None:
    """As autovacuum leaves a table: an index alone answers only for pages that all transactions see, the oldest too.

    An index holds on to the pages of the rows that earlier tests deleted, and so seems dearer than the table.
    """
    for table in TABLES:
        superuser.execute(f"REINDEX TABLE {table}")
    for _ in range(100):
        superuser.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")
        hidden = superuser.execute(NOT_SEEN_BY_ALL, [list(TABLES)]).fetchall()
        if not hidden:
            return
        time.sleep(0.1)
    raise AssertionError(f"{hidden} are held back by {superuser.execute(WHO_HOLDS).fetchall()}")


def plans_of(app: Flask, work: Callable[[], Any]) -> list[str]:
    """How PostgreSQL answers each SELECT of the work, asked in its own transaction and scope."""
    plans: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        if statement.startswith("SELECT") and "set_config" not in statement:
            beside = cursor.connection.cursor()
            beside.execute("EXPLAIN " + statement, values)
            plans.append(statement + "\n".join(row[0] for row in beside.fetchall()))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "after_cursor_execute", explain)
    try:
        work()
    finally:
        event.remove(engine, "after_cursor_execute", explain)
    return plans


def test_no_trigger_joins_old_and_new_rows_by_a_plan_that_its_session_keeps(
    app: Flask, superuser: psycopg.Connection[Any]
) -> None:
    """A plan without parameters is made once, for the first row, and would compare each of many with each."""
    functions = superuser.execute(TRIGGERS).fetchall()
    kept = {name: PLANNED_EACH_TIME.sub("", source) for name, source in functions}
    assert len(kept) > 15
    assert {name for name, source in kept.items() if BOTH.search(source)} == set()
    assert any(BOTH.search(source) for _, source in functions)
