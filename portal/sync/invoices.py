"""A page of invoices."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.errors import BadRecord
from portal.extensions import db
from portal.sync import adopted, changes, counts, customers, marks, seen, tables, upsert, wanted_pdfs
from portal.sync.contacts import NO_CUSTOMER
from portal.sync.current_run import Running
from portal.sync.progress import Memory
from portal.sync.task import Writer

OUTSTANDING_CHANGED = text(
    changes.logging("""
        SELECT 'invoice', i.id, i.autotask_id, i.number, 'Outstanding',
            CAST(b.old AS numeric(20, 2))::text, i.outstanding::numeric(20, 2)::text
        FROM unnest(CAST(:ids AS bigint[]), CAST(:old AS text[])) AS b (id, old)
        JOIN invoice i ON i.tenant_id = :tenant_id AND i.id = b.id
        WHERE i.outstanding <> CAST(b.old AS numeric)""")
)

READ_LINES_AGAIN = text("""
    UPDATE invoice SET lines_read_at = :lines_read_at
    WHERE tenant_id = :tenant_id AND id = ANY(:ids) AND NOT is_voided""")


def invoices_in(running: Running, client: Client, page: list[Any]) -> None:
    """Writes the invoices inside the filters, and marks those that left them."""
    found = running.bad.parsed(counts.INVOICES, records.invoice, page)
    owners = customers.known_or_read(running, client, (record["company_autotask_id"] for record in found))
    rows, left = [], []
    for record in found:
        owner = owners.get(record["company_autotask_id"])
        inside = filters.matches_invoice(running.task.filters, record, running.task.tenant.time_zone)
        if owner and inside:
            rows.append(tables.invoice_row(record, running.task.integration, owner.id, owner.currency))
        elif owner or customers.has_customer_filters(running.task):
            counts.skip(running.items, counts.INVOICES, customers.OUTSIDE if owner else NO_CUSTOMER)
            left.append(record["autotask_id"])
        else:
            running.bad.put_aside(counts.INVOICES, _without_customer(record))
    running.bad.one_by_one(counts.INVOICES, "Invoices", rows, lambda some: _write(running, some))
    marks.outside(running.writer, running.items, "invoice", left)
    running.bad.came_in_well("invoice", [row["autotask_id"] for row in rows])


def _without_customer(record: dict[str, Any]) -> BadRecord:
    reason = "is a customer that Autotask does not show to this API user"
    return BadRecord("Invoices", record["autotask_id"], "companyID", record["company_autotask_id"], reason)


def _write(running: Running, rows: list[upsert.Row]) -> None:
    _keep_adopted(running.task.integration.id, running.memory, rows)
    reads_all_lines = bool(running.checkpoint.all_lines)  # in one query, so that no invoice asks for its own
    lines_read_at = running.checkpoint.steps["invoices"].started_at if reads_all_lines else None
    written = upsert.write(
        tables.INVOICE,
        rows,
        running.writer,
        running.clock.read_at,
        lines_read_at=lines_read_at,
    )
    seen.note(running.writer, rows, written.same, running.clock.read_at)
    counts.add(running.items, counts.INVOICES, **written.numbers())
    if not reads_all_lines:
        _run(READ_LINES_AGAIN, ids=written.content_changed, lines_read_at=None)
    ledger.begin(written.created)
    _restate(running.writer, written)
    wanted_pdfs.want(written.created + written.content_changed)


def _keep_adopted(integration_id: int, memory: Memory, rows: list[upsert.Row]) -> None:
    if memory.has_adopted is None:
        memory.has_adopted = adopted.are_there(integration_id)
    if memory.has_adopted:
        adopted.keep_customers(integration_id, rows)


def _restate(by: Writer, written: upsert.Written) -> None:
    """Derives what follows from the changes, and notes what they do to the outstanding."""
    if not written.changed:
        return
    ledger.restate(written.changed)
    by.touched_invoices = True
    old = [str(written.before[row_id]) for row_id in written.changed]
    _run(OUTSTANDING_CHANGED, ids=written.changed, old=old, run_id=by.run_id)


def _run(statement: Any, ids: Sequence[int], **values: Any) -> None:
    if ids:
        db.session.execute(statement, {"tenant_id": current_tenant_id(), "ids": list(ids), **values})
