"""Autotask's values of invoices, as last read. A value read earlier never overwrites one read later."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Integration, Invoice
from portal.reconcile.decide import Known, Reading

# SQL for an invoice `i`: the partner's own system gave it, and Autotask, as secondary, only says whether it is paid.
GIVEN = """(i.external_id IS NOT NULL AND EXISTS (SELECT FROM integration n
        WHERE n.tenant_id = i.tenant_id AND n.id = i.integration_id AND n.role = 'secondary'))"""
# Held until the transaction ends: always before their deliveries, and in the order that the ledger uses.
LOCK = text(f"""
    SELECT id, integration_id, number, currency, total_raw, tax_raw, amount_due, is_voided, voided_on, due_on,
        autotask_due_on, autotask_paid_on, autotask_read_at, locally_changed_at, {GIVEN} AS is_given, voided_by_source
    FROM invoice i WHERE tenant_id = :tenant_id AND id = ANY(:ids) ORDER BY id FOR UPDATE""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)

WRITE = text("""
    UPDATE invoice i SET total_raw = n.total_raw, tax_raw = n.tax_raw, amount_due = n.amount_due,
        is_voided = n.is_voided, voided_on = n.voided_on, due_on = n.due_on, autotask_due_on = n.autotask_due_on,
        autotask_paid_on = n.autotask_paid_on, autotask_read_at = n.autotask_read_at,
        locally_changed_at = n.locally_changed_at,
        agreement = CASE WHEN n.is_settled AND i.agreement = 'waiting' THEN 'agrees' ELSE i.agreement END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n (id bigint, total_raw numeric, tax_raw numeric,
        amount_due numeric, is_voided boolean, voided_on date, due_on date, autotask_due_on date,
        autotask_paid_on date, autotask_read_at timestamptz, locally_changed_at timestamptz,
        is_settled boolean)
    WHERE i.tenant_id = :tenant_id AND i.id = n.id""")


@dataclass
class Mirrored:
    """An invoice that is locked."""

    id: int
    integration_id: int | None
    number: str
    currency: str
    total_raw: Decimal
    tax_raw: Decimal
    amount_due: Decimal
    is_voided: bool
    voided_on: date | None
    due_on: date | None
    autotask_due_on: date | None
    autotask_paid_on: date | None
    autotask_read_at: datetime | None
    locally_changed_at: datetime | None
    is_given: bool
    voided_by_source: bool

    @property
    def known(self) -> Known:
        return Known(self.total_raw, self.tax_raw, self.is_voided, self.is_given, self.voided_by_source)


def lock(invoice_ids: Sequence[int]) -> dict[int, Mirrored]:
    """These invoices by id, held until the transaction ends."""
    if not invoice_ids:
        return {}
    rows = db.session.execute(LOCK, {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)})
    return {row.id: Mirrored(*row) for row in rows}


def write(
    invoices: Mapping[int, Mirrored], readings: Mapping[int, Reading], settled: Set[int] = frozenset()
) -> set[int]:
    """Takes over what was read of these; the ids of those that were not read later already.

    `settled` will agree: the ledger judges that for itself in this transaction, and mostly writes their rows no second
    time, which would look up each of their foreign keys.
    """
    later = _read_at([id for id in invoices if id in readings])
    taken = [id for id, at in later.items() if at is None or at < readings[id].started_at]
    for invoice_id in taken:
        _take(invoices[invoice_id], readings[invoice_id])
    if taken:
        rows = [{**vars(invoices[id]), "is_settled": id in settled} for id in taken]
        values = {"tenant_id": current_tenant_id(), "rows": json.dumps(rows, default=str)}
        db.session.execute(WRITE, values)
    return set(taken)


def _read_at(invoice_ids: Sequence[int]) -> dict[int, datetime | None]:
    """Asked once the invoices are held: a page that found one unchanged has committed its range of ids by then."""
    if not invoice_ids:
        return {}
    query = select(Invoice.id, Invoice.last_read_at).where(
        Invoice.tenant_id == current_tenant_id(), Invoice.id.in_(invoice_ids)
    )
    return {row.id: row.last_read_at for row in db.session.execute(query)}


def _take(invoice: Mirrored, read: Reading) -> None:
    invoice.autotask_read_at = read.started_at
    invoice.autotask_paid_on = read.paid_on
    if invoice.is_given:
        _take_what_is_not_its_own_systems(invoice, read)
        return
    invoice.is_voided, invoice.voided_on = read.is_voided, read.voided_on
    if read.due_on != invoice.autotask_due_on:
        invoice.autotask_due_on = invoice.due_on = read.due_on
    if (read.total_raw, read.tax_raw) != (invoice.total_raw, invoice.tax_raw):
        _take_total(invoice, read)


def _take_what_is_not_its_own_systems(invoice: Mirrored, read: Reading) -> None:
    """Amounts and due date stay as they were given; a void of either side counts (rule 6)."""
    invoice.autotask_due_on = read.due_on
    invoice.is_voided = read.is_voided or invoice.voided_by_source
    if not invoice.is_voided:
        invoice.voided_on = None
    elif read.voided_on is not None:
        invoice.voided_on = read.voided_on


def _take_total(invoice: Mirrored, read: Reading) -> None:
    invoice.total_raw, invoice.tax_raw = read.total_raw, read.tax_raw
    totals_mode: Any = db.session.scalar(
        select(Integration.totals_mode).where(
            Integration.tenant_id == current_tenant_id(), Integration.id == invoice.integration_id
        )
    )
    if totals_mode is None:
        return
    invoice.amount_due = ledger.amount_due(read.total_raw, read.tax_raw, totals_mode, invoice.currency)
    invoice.locally_changed_at = None
