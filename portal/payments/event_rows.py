"""The rows of a file that says what became of payments: each with its payment, its values and its faults."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.orm import joinedload, selectinload

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Allocation, Happened, Payment
from portal.money import AmountError, parse_amount
from portal.payments import life, life_rules, written_days
from portal.payments.rules import PaymentRefused
from portal.payments.upload_file import Line
from portal.payments.upload_rows import is_id
from portal.payments.written_days import Order

KINDS = {
    "settled": Happened.SETTLED, "arrived": Happened.SETTLED, "paid": Happened.SETTLED, "failed": Happened.FAILED,
    "returned": Happened.FAILED, "refunded": Happened.REFUNDED, "refund": Happened.REFUNDED,
    "charged back": Happened.CHARGED_BACK, "chargeback": Happened.CHARGED_BACK, "charged_back": Happened.CHARGED_BACK,
}  # fmt: skip

# Literal, not a parameter: a prepared statement could not tell that the partial index fits.
HAS_REFERENCE = text("payment.reference <> ''")
READ_OF_ONE = 2  # payments of one reference


@dataclass
class Row:
    """What became of one payment, as it would be recorded."""

    line: Line
    payment: Payment | None = None
    kind: Happened | None = None
    on: date | None = None
    amount: Decimal | None = None

    @property
    def errors(self) -> list[str]:
        return self.line.errors

    @property
    def allocations(self) -> list[Allocation]:
        """The newest first."""
        return sorted(self.payment.allocations, key=lambda one: -one.id) if self.payment else []

    @property
    def new_event(self) -> life.NewEvent:
        assert self.kind is not None
        assert self.on is not None
        return life.NewEvent(self.kind, self.on, self.amount, self.line.cell("reason"))

    @property
    def words(self) -> str:
        return life.words(self.kind) if self.kind else self.line.cell("kind") or "–"


def find_payments(rows: Sequence[Row]) -> None:
    ids = {int(cell) for row in rows if is_id(cell := row.line.cell("payment"))}
    references = {row.line.cell("reference") for row in rows if not row.line.cell("payment")} - {""}
    statement = (
        scoped(Payment)
        .where(Payment.id.in_(ids | _ids_of(references)))
        .options(
            joinedload(Payment.customer), selectinload(Payment.allocations), selectinload(Payment.events)
        )
    )
    found = db.session.scalars(statement.execution_options(populate_existing=True)).all()
    by_id = {payment.id: payment for payment in found}
    by_reference: dict[str, list[Payment]] = defaultdict(list)
    for payment in sorted(found, key=_is_an_error):
        others = by_reference[payment.reference]
        if not _is_an_error(payment) or not others:  # meant only where no other is
            others.append(payment)
    for row in rows:
        cell = row.line.cell("payment")
        if cell:
            row.payment = by_id.get(int(cell)) if is_id(cell) else None
            _compare_reference(row)
        else:
            _take_by_reference(row, by_reference)
        if row.payment is None and not row.errors:
            row.errors.append("There is no such payment.")


def _ids_of(references: Set[str]) -> set[int]:
    """Of each reference two payments, those deleted as errors last: enough to see that it is not the only one."""
    if not references:
        return set()
    is_an_error = Payment.deleted_at.is_not(None) & Payment.ended_as.is_(None)
    place = func.row_number().over(partition_by=Payment.reference, order_by=(is_an_error, Payment.id))
    of_these = select(Payment.id, place.label("place")).where(
        Payment.tenant_id == current_tenant_id(), Payment.reference.in_(references), HAS_REFERENCE
    )
    first = of_these.subquery()
    return set(db.session.scalars(select(first.c.id).where(first.c.place <= READ_OF_ONE)))


def _is_an_error(payment: Payment) -> bool:
    """It was deleted, and no money of it came back."""
    return payment.deleted_at is not None and payment.ended_as is None


def _compare_reference(row: Row) -> None:
    """A column ID may hold the bank's own numbers."""
    said = row.line.cell("reference")
    if said and row.payment is not None and row.payment.reference.strip() != said:
        row.errors.append(
            "This Payment ID belongs to a payment with another reference. Correct one of the two."
        )


def _take_by_reference(row: Row, by_reference: dict[str, list[Payment]]) -> None:
    reference = row.line.cell("reference")
    several = by_reference.get(reference, []) if reference else []
    if len(several) > 1:
        row.errors.append("Several payments have this reference. Use the column Payment ID instead.")
    elif several:
        row.payment = several[0]
    elif not reference:
        row.errors.append("Say which payment: its Payment ID or its reference.")


def read_values(row: Row, order: Order) -> None:
    row.on = written_days.read(row.line.cell("on"), order)
    if row.on is None:
        row.errors.append(written_days.refusal(row.line.cell("on"), order))
    row.kind = KINDS.get(row.line.cell("kind").lower())
    if row.kind is None:
        row.errors.append("Say what happened: arrived, failed, refunded or charged back.")
    try:
        if row.line.cell("amount"):
            currency = row.payment.currency if row.payment else "USD"
            row.amount = parse_amount(row.line.cell("amount").removeprefix("-"), currency)
    except AmountError as error:
        row.errors.append(str(error))


def refuse_repeats(rows: Sequence[Row]) -> None:
    """One thing for each payment: what happens to it next is checked against what stands by then."""
    seen: dict[int, int] = {}
    for row in rows:
        if row.payment is not None and row.payment.id in seen:
            row.errors.append(
                f"Row {seen[row.payment.id]} is about the same payment. Upload what came later in a file of its own."
            )
        elif row.payment is not None:
            seen[row.payment.id] = row.line.number


def check(row: Row) -> None:
    """What a form would be refused for."""
    if row.payment is None or row.kind is None or row.on is None or row.errors:
        return
    try:
        life_rules.check(row.payment, row.kind, row.on, row.line.cell("reason"))
        if row.kind == Happened.SETTLED:
            _settles_whole(row)
        else:
            _is_new(row.payment, (row.kind, row.on, row.amount))
            life_rules.taken(row.payment, row.allocations, row.kind, row.amount, ())
    except PaymentRefused as refusal:
        row.errors.append(str(refusal))


def _is_new(payment: Payment, said: tuple[Happened, date, Decimal | None]) -> None:
    """The key of an upload is its preview's own: the same file uploaded again is told by what it says."""
    if said in [(event.kind, event.happened_on, event.amount) for event in payment.events]:
        raise PaymentRefused(
            "The same is recorded already, of this day and amount. If it happened twice, record the second on the "
            "payment's page."
        )


def _settles_whole(row: Row) -> None:
    assert row.payment is not None
    if row.amount not in (None, row.payment.amount):
        raise PaymentRefused(
            "A payment arrives as a whole: the amount is another one than was recorded.", "amount"
        )
    row.amount = None
