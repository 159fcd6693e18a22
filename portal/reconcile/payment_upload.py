"""Many payments from one file: looked at first, then recorded all together or not at all (one transaction)."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from portal import ledger
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Allocation, Invoice, Payment, PaymentMethod
from portal.money import ZERO, AmountError, parse_amount, plain
from portal.reconcile import form_keys, payment_file, payments
from portal.reconcile.payment_file import Line

FORM = "upload"
LARGEST_ID = 2**63 - 1


@dataclass
class Row:
    """One payment of the file, as it would be recorded; `warning` does not stop it."""

    line: Line
    invoice: Invoice | None = None
    amount: Decimal = ZERO
    paid_on: date | None = None
    method: str = PaymentMethod.OTHER.value
    warning: str = ""

    @property
    def errors(self) -> list[str]:
        return self.line.errors


@dataclass(frozen=True)
class Preview:
    """Every row with its faults; only a preview without faults can be recorded."""

    rows: Sequence[Row]
    words: str

    @property
    def faulty(self) -> int:
        return sum(bool(row.errors) for row in self.rows)

    @property
    def invoice_ids(self) -> list[int]:
        return sorted({row.invoice.id for row in self.rows if row.invoice})

    @property
    def totals(self) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows:
            if row.invoice is not None and not row.errors:
                sums[row.invoice.currency] += row.amount
        return dict(sums)


def preview(words: str) -> Preview:
    """What the file would record. Raises UnreadableFile."""
    rows = [Row(line) for line in payment_file.read(words)]
    _find_invoices(rows)
    for row in rows:
        _read_values(row)
        _check_form(row)
    _check_outstanding(rows)
    _warn_of_repeats(rows)
    return Preview(rows, words)


def record(actor: Actor, shown: Preview, *, key: str) -> int | None:
    """Records all rows; how many payments this file made, or None where a row cannot be recorded.

    The rows are looked at again while their invoices are locked, so that two people cannot pay one twice.

    The same key and file again give the first answer. Raises KeyReused. The caller commits, or rolls back on
    None, then rings the bell.
    """
    digest = hashlib.sha256(shown.words.encode()).hexdigest()
    before = form_keys.first_answer(FORM, key, {"file": digest})
    if before is not None:
        return int(before["payments"])
    ids = shown.invoice_ids
    ledger.lock_invoices(ids)
    fresh = preview(shown.words)
    if fresh.faulty or fresh.invoice_ids != ids:
        return None
    for row in fresh.rows:
        assert row.invoice is not None
        payments.add(actor, _new(row), [row.invoice])
    ledger.restate(ids)
    form_keys.remember(FORM, key, payments=len(shown.rows))
    return len(shown.rows)


def _new(row: Row) -> payments.NewPayment:
    assert row.invoice is not None
    assert row.paid_on is not None
    return payments.NewPayment(
        allocations=[(row.invoice.id, row.amount)],
        method=row.method,
        paid_on=row.paid_on,
        reference=row.line.cell("reference"),
        note=row.line.cell("note"),
    )


def _find_invoices(rows: Sequence[Row]) -> None:
    numbers = {row.line.cell("invoice") for row in rows if not row.line.cell("autotask_id")}
    ids = {int(cell) for row in rows if _is_id(cell := row.line.cell("autotask_id"))}
    statement = scoped(Invoice).where(Invoice.number.in_(numbers) | Invoice.autotask_id.in_(ids))
    statement = statement.join(Invoice.customer).options(contains_eager(Invoice.customer))
    statement = statement.execution_options(populate_existing=True)
    found = db.session.scalars(statement).all()
    by_number: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in found:
        by_number[invoice.number].append(invoice)
    by_id = {invoice.autotask_id: invoice for invoice in found}
    for row in rows:
        autotask_id = row.line.cell("autotask_id")
        if autotask_id:
            row.invoice = by_id.get(int(autotask_id)) if _is_id(autotask_id) else None
        else:
            _take_by_number(row, by_number)
        if row.invoice is None and not row.errors:
            row.errors.append("There is no such invoice.")


def _take_by_number(row: Row, by_number: dict[str, list[Invoice]]) -> None:
    number = row.line.cell("invoice")
    several = by_number.get(number, []) if number else []
    if len(several) > 1:
        row.errors.append(f"{len(several)} invoices have this number. Use the column Autotask ID instead.")
    elif several:
        row.invoice = several[0]
    elif not number:
        row.errors.append("The invoice is missing.")


def _is_id(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 20 and int(cell) <= LARGEST_ID


def _read_values(row: Row) -> None:
    row.paid_on = payment_file.day(row.line.cell("paid_on"))
    if row.paid_on is None:
        row.errors.append("Write the date like 2026-11-19.")
    method = row.line.cell("method").lower()
    if method and method not in set(PaymentMethod):
        row.errors.append(f"The method must be one of {', '.join(PaymentMethod)}.")
    row.method = method or PaymentMethod.OTHER.value
    try:
        row.amount = parse_amount(row.line.cell("amount"), row.invoice.currency if row.invoice else "USD")
        if row.amount <= 0:
            row.errors.append("The amount must be more than zero.")
    except AmountError as error:
        row.errors.append(str(error))


def _check_form(row: Row) -> None:
    """What a typed payment would be refused for, such as an impossible date."""
    if row.invoice is None or row.errors:
        return
    try:
        payments.check_form(_new(row), key=FORM)
    except payments.PaymentRefused as refusal:
        row.errors.append(str(refusal))


def _check_outstanding(rows: Sequence[Row]) -> None:
    """What earlier rows of the file pay is no longer owed to later ones."""
    left: dict[int, Decimal] = {}
    for row in rows:
        if row.invoice is None or row.errors:
            continue
        invoice = row.invoice
        owed = left.setdefault(invoice.id, invoice.outstanding if invoice.is_payable else ZERO)
        if row.amount > owed:
            row.errors.append(
                f"Only {plain(owed, invoice.currency)} {invoice.currency} is still owed on it."
                if owed
                else payments.why_not_payable(invoice) or "Earlier rows of this file already pay all of it."
            )
        else:
            left[invoice.id] = owed - row.amount


def _warn_of_repeats(rows: Sequence[Row]) -> None:
    """A payment of the same invoice, amount and day that is recorded already is perhaps the same money."""
    ids = {row.invoice.id for row in rows if row.invoice is not None}
    known = {
        tuple(one)
        for one in db.session.execute(
            select(Allocation.invoice_id, Allocation.amount, Payment.paid_on)
            .join(
                Payment, (Payment.tenant_id == Allocation.tenant_id) & (Payment.id == Allocation.payment_id)
            )
            .where(
                Allocation.tenant_id == current_tenant_id(),
                Allocation.invoice_id.in_(ids),
                Payment.deleted_at.is_(None),
            )
        )
    }
    for row in rows:
        if row.invoice is not None and (row.invoice.id, row.amount, row.paid_on) in known:
            row.warning = (
                "The same amount for this invoice and day is recorded already. Is it the same money?"
            )
