"""Writes a page of records in a fixed number of statements: staged by COPY, compared, upserted, told apart.

What lies above every id that is here is new: it is inserted without a comparison.

The newest read wins: a row that was read later, by another run or by a delivery's read-back, stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import psycopg
from sqlalchemy import TextClause

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.sync.table import Table
from portal.sync.task import Writer

Row = dict[str, Any]


@dataclass
class Written:
    """Internal ids by what happened to the row; `before` has the old value of the table's column of that name."""

    created: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    content_changed: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    before: dict[int, Any] = field(default_factory=dict)
    unchanged: int = 0
    shown: int = 0

    def numbers(self) -> dict[str, int]:
        """For a person, only what is logged has changed: as many records as the run's list of changes shows."""
        hidden = len(self.changed) - self.shown
        return {"created": len(self.created), "changed": self.shown, "unchanged": self.unchanged + hidden}


def write(
    table: Table,
    rows: Sequence[Row],
    by: Writer,
    read_at: datetime,
    *,
    keep: TextClause | None = None,
    **at_first: Any,
) -> Written:
    """Upserts the page and logs what changed in it. Safe to run twice: the second time nothing changes.

    `keep` is SQL for rows whose content changed: those it returns stay as they are, and a new row is made.
    """
    if not rows:
        return Written()
    keys = [row["autotask_id"] for row in rows]
    scope = {"tenant_id": current_tenant_id(), "integration_id": by.integration_id, "read_at": read_at}
    are_new = nothing_above(table, by, min(keys) - 1)
    if table.name in by.highest:
        by.highest[table.name] = max(by.highest[table.name], *keys)
    stage(table, rows)
    if are_new:
        return Written(created=list(db.session.scalars(table.insert, {**scope, **at_first})))
    found = _compared(_here(table, keep, {**scope, "keys": keys}))
    written = Written(unchanged=len(rows), content_changed=found.content_changed, same=found.same)
    if found.differing:
        log = {**scope, "run_id": by.run_id, "ids": found.differing}
        written.shown = len(db.session.execute(table.log_changes, log).all())
    wanted = [key for key in keys if key not in found.before] + found.differing_keys
    if wanted:
        _upsert(table, {**scope, **at_first, "keys": wanted}, found.before, written)
    return written


def nothing_above(table: Table, by: Writer, autotask_id: int) -> bool:
    """Whether no record with a higher Autotask id is here. Asks once; then it is known by what was written.

    Below what an earlier run has read nobody asks: the answer is no, or comparing costs nothing more.
    """
    if autotask_id < by.read_to.get(table.name, -1):
        return False
    if table.name not in by.highest:
        scope = {"tenant_id": current_tenant_id(), "integration_id": by.integration_id}
        by.highest[table.name] = db.session.scalar(table.highest, scope)
    return by.highest[table.name] <= autotask_id


def _here(table: Table, keep: TextClause | None, values: dict[str, Any]) -> Sequence[Any]:
    """The rows that are here, compared with the staged ones; without those that are kept as they are."""
    here = db.session.execute(table.classify, values).all()
    moved = [row.id for row in here if row.content_differs] if keep is not None else []
    if keep is None or not moved:
        return here
    kept = set(db.session.scalars(keep, {"tenant_id": values["tenant_id"], "ids": moved}))
    return [row for row in here if row.id not in kept]


@dataclass
class Compared:
    """The rows of a page that are here; `before` by Autotask id, the others as internal ids unless they say so."""

    before: dict[int, Any] = field(default_factory=dict)
    differing: list[int] = field(default_factory=list)
    differing_keys: list[int] = field(default_factory=list)
    content_changed: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)


def _compared(here: Sequence[Any]) -> Compared:
    """Tells apart what classify() found. Rows that were read later than this page are only known."""
    found = Compared()
    for row_id, autotask_id, before, differs, content_differs, newer in here:
        found.before[autotask_id] = before
        if newer and differs:
            found.differing.append(row_id)
            found.differing_keys.append(autotask_id)
        elif newer:
            found.same.append(row_id)
        if newer and content_differs:
            found.content_changed.append(row_id)
    return found


def _upsert(table: Table, values: dict[str, Any], before: dict[int, Any], written: Written) -> None:
    for row_id, autotask_id in db.session.execute(table.upsert, values):
        if autotask_id in before:
            written.changed.append(row_id)
            written.before[row_id] = before[autotask_id]
        else:
            written.created.append(row_id)
    written.unchanged -= len(written.created) + len(written.changed)


def stage(table: Table, rows: Sequence[Row]) -> None:
    """Puts the rows into the table's temporary twin, empty again after the commit."""
    connection = db.session.connection()
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, psycopg.Connection)
    values = itemgetter("autotask_id", *table.columns)
    with raw.cursor() as cursor:
        cursor.execute(table.empty_stage)
        with cursor.copy(table.copy) as copy:
            for row in rows:
                copy.write_row(values(row))
