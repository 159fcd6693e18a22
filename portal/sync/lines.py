"""Billing items: the lines of invoices, all of them in one query or by groups of invoices."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, text

from portal.access.tenancy import current_tenant_id
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.conditions import MOST_IDS
from portal.autotask.paging import HIGHEST_ID, id_of
from portal.connect.slots import held
from portal.extensions import db
from portal.models import Invoice, SyncKind
from portal.sync import asked_fields, counts, tables, upsert, wanted_pdfs
from portal.sync.current_run import Running
from portal.sync.removed_lines import GONE_IN_RANGE, GONE_OF_INVOICES, take_out, with_ids

ENTITY = "BillingItems"
NOT_SYNCED = "of an invoice that is not synced"
ON_INVOICES = {"op": "gt", "field": "invoiceID", "value": 0}
OWNERS = with_ids("""
    SELECT autotask_id, id FROM invoice
    WHERE tenant_id = :tenant_id AND integration_id = :integration_id AND autotask_id = ANY(:ids)""")
READ_NOW = with_ids("""
    UPDATE invoice i SET lines_read_at = :read_at, lines_raw = coalesce(
        (SELECT sum(l.price_raw) FROM invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id), 0)
    WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)""")
# A voided invoice keeps its lines: one that moves on to the next invoice leaves a copy behind (rule 3.9).
KEEP_IF_VOIDED = text("""
    UPDATE invoice_line l SET autotask_id = NULL FROM invoice i
    WHERE l.tenant_id = :tenant_id AND l.id = ANY(:ids)
        AND i.tenant_id = l.tenant_id AND i.id = l.invoice_id AND i.is_voided
    RETURNING l.id""")

# Once a week for all open ones; and once where the lines do not add up to the header.
OLD = text("""
    UPDATE invoice i SET lines_read_at = NULL
    WHERE i.tenant_id = :tenant_id AND i.integration_id = :integration_id AND i.autotask_id IS NOT NULL
        AND i.autotask_paid_on IS NULL AND NOT i.is_voided AND i.missing_since IS NULL
        AND i.outside_filters_at IS NULL AND i.lines_read_at IS NOT NULL
        AND (i.lines_read_at < clock_timestamp() - interval '7 days'
            OR i.lines_raw IS NULL AND i.total_raw <> (
                SELECT coalesce(sum(l.price_raw + CASE WHEN :with_tax THEN l.tax_raw ELSE 0 END), 0)
                FROM invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id))""")


def lines_in(running: Running, client: Client | None, page: list[Any]) -> None:
    """Writes a page of lines of all invoices; those that are gone between its first and last id go here too."""
    last_id = running.checkpoint.steps["lines"].last_id
    present = [row_id for row in page if (row_id := id_of(row)) is not None]
    are_new = upsert.nothing_above(tables.LINE, running.writer, last_id)
    _write_page(running, page)
    if not are_new:
        high = max(present, default=last_id)
        take_out(running.writer, running.items, GONE_IN_RANGE, present, low=last_id, high=high)


def after_the_last(running: Running) -> None:
    """Takes out lines beyond the last one of a complete read."""
    low = running.checkpoint.steps["lines"].last_id
    if not upsert.nothing_above(tables.LINE, running.writer, low):
        take_out(running.writer, running.items, GONE_IN_RANGE, [], low=low, high=HIGHEST_ID)


def single_lines_in(running: Running, client: Client | None, page: list[Any]) -> None:
    """Writes lines that were asked for by their ids."""
    _write_page(running, page)


def _write_page(running: Running, page: list[Any]) -> upsert.Written:
    found = running.bad.parsed(counts.LINES, records.line, page)
    owners = _owners(running.writer.integration_id, (record["invoice_autotask_id"] for record in found))
    rows = []
    for record in found:
        owner = owners.get(record["invoice_autotask_id"])
        if owner is None:
            counts.skip(running.items, counts.LINES, NOT_SYNCED)
        else:
            rows.append(tables.line_row(record, owner))
    written = upsert.Written()

    def write(some: list[upsert.Row]) -> None:
        part = _write(running, some)
        written.created += part.created
        written.changed += part.changed

    running.bad.one_by_one(counts.LINES, ENTITY, rows, write)
    running.bad.came_in_well("line", [row["autotask_id"] for row in rows])
    return written


def _write(running: Running, rows: list[upsert.Row]) -> upsert.Written:
    written = upsert.write(
        tables.LINE,
        rows,
        running.writer,
        running.clock.read_at,
        keep=KEEP_IF_VOIDED,
    )
    counts.add(running.items, counts.LINES, **written.numbers())
    return written


def _owners(integration_id: int, invoice_autotask_ids: Iterable[int | None]) -> dict[int | None, int]:
    wanted = {autotask_id for autotask_id in invoice_autotask_ids if autotask_id is not None}
    values = {"tenant_id": current_tenant_id(), "integration_id": integration_id}
    rows = db.session.execute(OWNERS, {**values, "ids": list(wanted)})
    return {row.autotask_id: row.id for row in rows}


def ask_again_for_old(running: Running) -> None:
    """Makes open invoices ask for their lines once a week, and where they do not add up. Commits."""
    if running.task.kind != SyncKind.UNPAID or running.checkpoint.old_lines:
        return
    values = {"tenant_id": current_tenant_id(), "integration_id": running.task.integration.id}
    db.session.execute(OLD, {**values, "with_tax": running.task.integration.totals_mode == "with_tax"})
    running.checkpoint.old_lines = True
    running.save()


ALL = text("""
    UPDATE invoice SET lines_read_at = NULL
    WHERE tenant_id = :tenant_id AND integration_id = :integration_id AND autotask_id IS NOT NULL
        AND NOT is_voided AND missing_since IS NULL AND outside_filters_at IS NULL
        AND lines_read_at IS NOT NULL""")


def ask_all_again(running: Running) -> None:
    """Makes every invoice inside the filters ask for its lines. Commits."""
    if running.checkpoint.asked_all:
        return
    db.session.execute(ALL, {"tenant_id": current_tenant_id(), "integration_id": running.task.integration.id})
    running.checkpoint.asked_all = True
    running.save()


def of_invoices(running: Running, client: Client) -> None:
    """Reads the lines of every invoice that asks for them, in groups; a group is done with its last page.

    The last thing that a run reads: the question that finds none more may be left in the transaction that ends it.
    """
    running.progress.words = "Line items"
    while group := _asking(running.task.integration.id):
        with held(client, ENTITY):
            _read_group(running, client, group)


def _asking(integration_id: int) -> dict[int, int]:
    """Autotask id to id of the next invoices whose lines are wanted. Commits, unless there are none."""
    rows = db.session.execute(
        select(Invoice.autotask_id, Invoice.id)
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.integration_id == integration_id,
            Invoice.autotask_id.is_not(None),
            Invoice.lines_read_at.is_(None),
            Invoice.missing_since.is_(None),
            Invoice.outside_filters_at.is_(None),
        )
        .order_by(Invoice.autotask_id)
        .limit(MOST_IDS)
    ).all()
    if rows:
        db.session.commit()
    return {row.autotask_id: row.id for row in rows if row.autotask_id is not None}


def _read_group(running: Running, client: Client, group: dict[int, int]) -> None:
    (condition,) = filters.ids_in("invoiceID", group)
    running.begin_query(ENTITY)
    read_at, present, touched = running.clock.read_at, list[int](), set[int]()
    for page in asked_fields.pages(client, ENTITY, [condition], records.LINE_FIELDS):
        written = _write_page(running, page)
        touched.update(_invoices_of(written))
        present += [row_id for row in page if (row_id := id_of(row)) is not None]
        running.save_page(page)
    invoice_ids = list(group.values())
    touched.update(
        take_out(running.writer, running.items, GONE_OF_INVOICES, present, invoice_ids=invoice_ids)
    )
    db.session.execute(READ_NOW, {"tenant_id": current_tenant_id(), "ids": invoice_ids, "read_at": read_at})
    wanted_pdfs.want(sorted(touched))
    running.save()
    running.give_way()


def _invoices_of(written: upsert.Written) -> list[int]:
    ids = written.created + written.changed
    if not ids:
        return []
    return list(
        db.session.scalars(
            with_ids(
                "SELECT DISTINCT invoice_id FROM invoice_line WHERE tenant_id = :tenant_id AND id = ANY(:ids)"
            ),
            {"tenant_id": current_tenant_id(), "ids": ids},
        )
    )
