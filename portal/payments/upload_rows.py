"""The rows of a file of payments: each with its invoice, its values, its faults and what a person should look at."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Allocation, Invoice, Payment, PaymentMethod
from portal.money import ZERO, AmountError, parse_amount
from portal.payments import duplicates, recording, written_days
from portal.payments.upload_file import Line
from portal.payments.written_days import Order

LARGEST_ID = 2**63 - 1
# How files say that money is on its way, and that it is here.
PENDING = ("pending", "on its way", "on the way", "processing")
HERE = ("recorded", "settled", "arrived", "received", "paid")


@dataclass
class Row:
    """One payment of the file, as it would be recorded; `warnings` do not stop it."""

    line: Line
    invoice: Invoice | None = None
    amount: Decimal = ZERO
    paid_on: date | None = None
    method: str = PaymentMethod.OTHER.value
    is_old: bool = False
    pending: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        return self.line.errors

    @property
    def new_payment(self) -> recording.NewPayment:
        assert self.invoice is not None
        assert self.paid_on is not None
        return recording.NewPayment(
            allocations=[(self.invoice.id, self.amount)],
            method=self.method,
            paid_on=self.paid_on,
            reference=self.line.cell("reference"),
            note=self.line.cell("note"),
            pending=self.pending,
        )

    @property
    def money(self) -> duplicates.Money:
        """What two payments have in common that may be the same money."""
        assert self.invoice is not None
        assert self.paid_on is not None
        return self.invoice.customer_id, self.invoice.currency, self.paid_on, self.amount


def find_invoices(rows: Sequence[Row]) -> None:
    numbers = {row.line.cell("invoice") for row in rows if not row.line.cell("autotask_id")}
    ids = {int(cell) for row in rows if is_id(cell := row.line.cell("autotask_id"))}
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
            row.invoice = by_id.get(int(autotask_id)) if is_id(autotask_id) else None
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


def is_id(cell: str) -> bool:
    """Whether a cell can be the number of a row."""
    return cell.isascii() and cell.isdigit() and len(cell) < 20 and int(cell) <= LARGEST_ID


def read_values(row: Row, order: Order) -> None:
    row.paid_on = written_days.read(row.line.cell("paid_on"), order)
    if row.paid_on is None:
        row.errors.append(written_days.refusal(row.line.cell("paid_on"), order))
    method = row.line.cell("method").lower()
    if method and method not in set(PaymentMethod):
        row.errors.append(f"The method must be one of {', '.join(PaymentMethod)}.")
    row.method = method or PaymentMethod.OTHER.value
    state = row.line.cell("state").lower()
    row.pending = state in PENDING
    if state and state not in (*PENDING, *HERE):
        row.errors.append("The state must be pending, or recorded.")
    try:
        row.amount = parse_amount(row.line.cell("amount"), row.invoice.currency if row.invoice else "USD")
        if row.amount <= 0:
            row.errors.append("The amount must be more than zero.")
    except AmountError as error:
        row.errors.append(str(error))


def check_form(row: Row) -> None:
    """What a typed payment would be refused for, or asked about, such as an impossible date."""
    if row.invoice is None or row.paid_on is None or row.errors:
        return
    try:
        recording.check_form(row.new_payment)
        recording.check_day(row.paid_on, old_confirmed=False)
    except recording.OldDay as old:
        row.is_old = True
        row.warnings.append(str(old))
    except recording.PaymentRefused as refusal:
        row.errors.append(str(refusal))


def check_outstanding(rows: Sequence[Row]) -> None:
    """What earlier rows of the file pay is no longer owed to later ones."""
    left: dict[int, Decimal] = {}
    for row in rows:
        if row.invoice is None or row.errors:
            continue
        invoice = row.invoice
        owed = left.setdefault(invoice.id, invoice.outstanding if invoice.is_payable else ZERO)
        if row.amount > owed:
            row.errors.append(
                f"Only {formatters.money(owed, invoice.currency)} is still owed on it."
                if owed
                else recording.why_not_payable(invoice) or "Earlier rows of this file already pay all of it."
            )
        else:
            left[invoice.id] = owed - row.amount


def warn_of_repeats(rows: Sequence[Row]) -> None:
    """The same customer, day and amount twice, in the file or recorded already, is perhaps the same money."""
    parts = _recorded_parts(rows)
    known = duplicates.recorded(row.money for row in rows)
    seen: dict[duplicates.Money, int] = {}
    for row in rows:
        assert row.invoice is not None
        if row.money in known or (row.invoice.id, row.amount, row.paid_on) in parts:
            row.warnings.append(
                "This customer's payment of this amount and day is recorded already. Is it the same money?"
            )
        if row.money in seen:
            row.warnings.append(
                f"Row {seen[row.money]} of this file has the same customer, amount and day. Is it the same money?"
            )
        seen.setdefault(row.money, row.line.number)


def _recorded_parts(rows: Sequence[Row]) -> set[tuple[int, Decimal, date]]:
    """What payments recorded already gave these invoices: (invoice id, amount, day)."""
    ids = {row.invoice.id for row in rows if row.invoice is not None}
    found = db.session.execute(
        select(Allocation.invoice_id, Allocation.amount, Payment.paid_on)
        .join(Payment, (Payment.tenant_id == Allocation.tenant_id) & (Payment.id == Allocation.payment_id))
        .where(
            Allocation.tenant_id == current_tenant_id(),
            Allocation.invoice_id.in_(ids),
            Payment.deleted_at.is_(None),
        )
    )
    return {(row[0], row[1], row[2]) for row in found}
