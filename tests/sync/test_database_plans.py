"""What PostgreSQL looks at while a first read fills empty tables: in proportion to what it writes, on every version."""

from typing import Any

import pytest
from sqlalchemy import text

from portal.extensions import db
from sandbox import Sandbox
from tests.fixtures.database import tell_what_was_counted
from tests.sync.conftest import sync

TABLES = ("customer", "invoice", "invoice_line", "settlement")
COUNTED = text("""
    SELECT relname, n_tup_ins + n_tup_upd AS written, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS seen
    FROM pg_stat_user_tables WHERE relname = ANY(:tables)""")


def counted() -> dict[str, Any]:
    """By table: rows written and rows looked at so far, those of this very connection included."""
    db.session.commit()
    tell_what_was_counted()
    found = {row.relname: row for row in db.session.execute(COUNTED, {"tables": list(TABLES)})}
    db.session.commit()
    return found


@pytest.mark.sandbox(customers=100, invoices=3000)
def test_a_first_read_looks_at_a_few_rows_for_each_that_it_writes(sandbox: Sandbox, connect) -> None:
    integration = connect(sandbox)
    before = counted()

    run = sync(integration)
    after = counted()

    assert (run.state, run.items["invoices"]["created"]) == ("completed", 3000)
    written = sum(after[name].written - before[name].written for name in TABLES)
    looked_at = sum(after[name].seen - before[name].seen for name in TABLES)
    # Plans that were made for empty tables, or forced, look at 150 and more.
    assert looked_at / written < 40, (looked_at, written)
