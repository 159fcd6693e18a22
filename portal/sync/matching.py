"""The secondary role: Autotask brings nothing in; the portal's invoices are matched to Autotask's (rule 6).

A unique match, exact in identifier, amount and currency, gets payment status as every other invoice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, or_, update

from portal import attention, ledger
from portal.access.tenancy import current_tenant_id
from portal.autotask import records
from portal.autotask.client import Client
from portal.autotask.paging import HIGHEST_ID
from portal.extensions import db
from portal.models import Cause, Invoice, SyncChange
from portal.money import plain
from portal.sync import counts, marks, missing, read_pages, record_kinds
from portal.sync.candidates import (
    Record,
    currencies_of,
    is_same,
    is_taken,
    misfit,
    search,
    shown,
    unmatched,
    why,
)
from portal.sync.current_run import Running
from portal.sync.resources import Resource

CANDIDATES_KEPT = 10


def nothing(running: Running, client: Client) -> None:
    """A secondary integration brings in no customers."""


def match(running: Running, client: Client) -> None:
    """Looks for Autotask's counterpart of every unmatched open invoice."""
    running.progress.words = "Matching invoices"
    running.clock.look()
    after = running.checkpoint.matched_to
    while some := unmatched(after):
        running.clock.look()
        found = search(running, client, some)
        currency_of = currencies_of(running, client, found)
        for invoice in some:
            _decide(
                running,
                invoice,
                [one for one in found if is_same(running.task.integration.identifier, invoice, one)],
                currency_of,
            )
        after = running.checkpoint.matched_to = some[-1].id
        running.progress.done += len(some)
        running.save()


def _decide(running: Running, invoice: Invoice, same: Sequence[Record], currency_of: dict[int, str]) -> None:
    fitting = [record for record in same if misfit(running.task, invoice, record, currency_of) is None]
    if len(fitting) == 1 and not is_taken(running.writer.integration_id, fitting[0]):
        _join(running, invoice, fitting[0])
        return
    counts.skip(running.items, counts.INVOICES, "not matched")
    several = len(fitting) > 1
    cause, other = (
        (Cause.MATCH_SEVERAL, Cause.MATCH_NONE) if several else (Cause.MATCH_NONE, Cause.MATCH_SEVERAL)
    )
    attention.close_items(other, "invoice", [_key(invoice)])
    attention.open_item(
        cause,
        "invoice",
        _key(invoice),
        label=f"Invoice {invoice.number}",
        detail=why(running.task, invoice, same, fitting, currency_of),
        ours={
            "number": invoice.number,
            "amount_due": plain(invoice.amount_due, invoice.currency),
            "currency": invoice.currency,
        },
        theirs={
            "candidates": [
                shown(running.task, record, currency_of) for record in (fitting or same)[:CANDIDATES_KEPT]
            ],
            "candidates_found": len(fitting or same),
        },
        invoice_id=invoice.id,
        run_id=running.task.run_id,
    )


def _join(running: Running, invoice: Invoice, record: Record) -> None:
    ledger.lock_invoices([invoice.id])
    db.session.execute(
        update(Invoice)
        .where(
            Invoice.tenant_id == invoice.tenant_id, Invoice.id == invoice.id, Invoice.autotask_id.is_(None)
        )
        .values(
            integration_id=running.task.integration.id,
            autotask_id=record["autotask_id"],
            autotask_created_at=record["created_at"],
            **_mirror(record, running.clock.read_at),
        )
    )
    counts.add(running.items, counts.INVOICES, changed=1)
    db.session.add(
        SyncChange(
            tenant_id=invoice.tenant_id, run_id=running.task.run_id, subject_type="invoice", subject_id=invoice.id,
            autotask_id=record["autotask_id"], label=invoice.number, field="Matched in Autotask",
            new_value=f"Autotask ID {record['autotask_id']}",
        )
    )  # fmt: skip
    for cause in (Cause.MATCH_NONE, Cause.MATCH_SEVERAL):
        attention.close_items(cause, "invoice", [_key(invoice)])
    ledger.restate([invoice.id])
    running.writer.touched_invoices = True


def _mirror(record: Record, read_at: datetime) -> dict[str, Any]:
    """What the portal keeps of Autotask's side; the invoice itself belongs to the other system."""
    return {
        "autotask_number": record["number_raw"],
        "autotask_due_on": record["due_on"],
        "autotask_paid_on": record["paid_on"],
        "is_voided": or_(record["is_voided"], Invoice.voided_by_source),
        "voided_on": func.coalesce(record["voided_on"], case((Invoice.voided_by_source, Invoice.voided_on))),
        "missing_since": None,
        "autotask_read_at": read_at,
    }


def _key(invoice: Invoice) -> str:
    return f"portal-{invoice.id}"


def match_and_read(running: Running, client: Client) -> None:
    """Matches, then reads Autotask's side of the matched invoices again."""
    match(running, client)
    step = running.checkpoint.steps.get("matched")
    if step is None:
        running.clock.look()
        step = running.checkpoint.begin("matched", running.clock.read_at)
        step.complete = True
        step.known = marks.known(running.task.integration.id, "invoice", marks.UNPAID)
        step.absent = marks.absent(running.task.integration.id, "invoice", -1, HIGHEST_ID, [], marks.UNPAID)
        running.save()
    gone = read_pages.read_by_id(running, client, "matched by id", MATCHED, step.absent)
    if not step.done:
        missing.settle(running.writer, step, MATCHED, gone)
        step.done = True
        running.save()


def mirrored_in(running: Running, client: Client, page: list[Any]) -> None:
    """Writes Autotask's side of a page of matched invoices."""
    found = running.bad.parsed(counts.INVOICES, records.invoice, page)
    for record in found:
        changed = db.session.scalar(
            update(Invoice)
            .where(
                Invoice.tenant_id == current_tenant_id(),
                Invoice.integration_id == running.task.integration.id,
                Invoice.autotask_id == record["autotask_id"],
                or_(Invoice.autotask_read_at.is_(None), Invoice.autotask_read_at < running.clock.read_at),
            )
            .values(_mirror(record, running.clock.read_at))
            .returning(Invoice.id)
        )
        if changed is not None:
            ledger.restate([changed])
            running.writer.touched_invoices = True
    running.bad.came_in_well("invoice", [record["autotask_id"] for record in found])
    counts.add(running.items, counts.INVOICES, unchanged=len(found))


MATCHED = Resource(record_kinds.INVOICE, "Matched invoices", "invoice", mirrored_in)
