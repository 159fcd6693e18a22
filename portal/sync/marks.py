"""The marks "outside filters" and "no longer in Autotask": set on rows, never archiving anything."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import LEFT
from portal.sync import counts
from portal.sync.record_kinds import BY_SUBJECT
from portal.sync.table import logging_first
from portal.sync.task import Writer

# Open as far as is known here: only those can be missing from an answer of unpaid invoices.
UNPAID = "autotask_paid_on IS NULL AND NOT is_voided"
# Ranges say nothing of a marked invoice, so it says itself when it was last read.
LAST_READ = f"""autotask_read_at = greatest(autotask_read_at, (
    SELECT max(r.read_at) FROM read_range r
    WHERE r.tenant_id = invoice.tenant_id AND r.integration_id = invoice.integration_id
        AND invoice.autotask_id BETWEEN r.low AND r.high AND (NOT r.only_unpaid OR {UNPAID})))"""

TABLES = ("customer", "contact", "invoice")

HERE = "tenant_id = :tenant_id AND integration_id = :integration_id AND missing_since IS NULL AND outside_filters_at IS NULL"


def known(integration_id: int, table: str, only: str = "true") -> int:
    """How many rows a complete read should bring back."""
    return int(
        _rows(
            integration_id,
            f"SELECT count(*) FROM {table} WHERE {HERE} AND autotask_id IS NOT NULL AND {only}",
        )[0]
    )


def absent(
    integration_id: int, table: str, low: int, high: int, present: Iterable[int], only: str = "true"
) -> list[int]:
    """Autotask ids above `low`, up to `high`, that are here but not in the answer."""
    return _rows(
        integration_id,
        f"""SELECT autotask_id FROM {table} WHERE {HERE} AND autotask_id > :low AND autotask_id <= :high
            AND autotask_id <> ALL(:ids) AND {only} ORDER BY autotask_id""",
        present,
        low=low,
        high=high,
    )


def outside(by: Writer, items: counts.Items, table: str, autotask_ids: Sequence[int]) -> None:
    """Marks records that left the filters, with all that belongs to a customer; they count as changed."""
    ids = _left(by, items, table, "autotask_id", autotask_ids)
    if table == "customer":
        for one in ("contact", "invoice"):
            _left(by, items, one, "customer_id", ids)


def missing(by: Writer, table: str, autotask_ids: Sequence[int]) -> int:
    """Marks records that are no longer in Autotask; how many there were."""
    ids = _mark(by, table, "missing_since", "autotask_id", autotask_ids)
    _log(by, table, "missing_since", ids)
    return len(ids)


def _left(by: Writer, items: counts.Items, table: str, column: str, ids: Sequence[int]) -> list[int]:
    """Marks what has one of these ids in a column, and counts what this run had not changed before; their ids."""
    marked = _mark(by, table, "outside_filters_at", column, ids)
    counts.add(items, BY_SUBJECT[table].counted, changed=_log(by, table, "outside_filters_at", marked))
    return marked


def _mark(by: Writer, table: str, mark: str, column: str, ids: Sequence[int]) -> list[int]:
    if not ids:
        return []
    marked = _rows(
        by.integration_id,
        f"UPDATE {table} SET {_values(table, mark)} WHERE {HERE} AND {column} = ANY(:ids) RETURNING id",
        ids,
    )
    if table == "invoice":
        _restate(by, marked)
    return marked


def _values(table: str, mark: str) -> str:
    marked = f"{mark} = clock_timestamp()"
    return f"{marked}, {LAST_READ}" if table == "invoice" else marked


def _restate(by: Writer, ids: Sequence[int]) -> None:
    ledger.restate(ids)
    by.touched_invoices = by.touched_invoices or bool(ids)


WORDS = {"outside_filters_at": LEFT[0], "missing_since": LEFT[1]}


def _log(by: Writer, table: str, mark: str, ids: Sequence[int]) -> int:
    """Logs that they left; of how many this run had not logged a change before."""
    if not ids:
        return 0
    left = f"""
        SELECT '{table}', t.id, t.autotask_id, {BY_SUBJECT[table].label()}, '{WORDS[mark]}', 'no', 'yes'
        FROM {table} t WHERE t.tenant_id = :tenant_id AND t.id = ANY(:ids)"""
    return len(_rows(by.integration_id, logging_first(table, left), ids, run_id=by.run_id))


def _rows(integration_id: int, sql: str, ids: Iterable[int] = (), **values: object) -> list[int]:
    statement = text(sql)
    if ":ids" in sql:
        statement = statement.bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
        values["ids"] = list(ids)
    if ":integration_id" in sql:
        values["integration_id"] = integration_id
    return [row[0] for row in db.session.execute(statement, {"tenant_id": current_tenant_id(), **values})]
