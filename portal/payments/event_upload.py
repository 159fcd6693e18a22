"""What became of many payments, from one file: looked at first, then recorded all together or not at all."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from portal import ledger
from portal.access.actor import Actor
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Happened, Payment
from portal.payments import event_rows, idempotency, life, upload_file, written_days
from portal.payments.event_rows import Row
from portal.payments.written_days import Order

FORM = "event upload"


@dataclass(frozen=True)
class Preview:
    """Every row with its faults; only a preview without faults can be recorded."""

    rows: Sequence[Row]
    words: str
    order: Order

    @property
    def faulty(self) -> int:
        return sum(bool(row.errors) for row in self.rows)

    @property
    def in_order(self) -> list[Row]:
        """Rows to correct on top, then the others as in the file."""
        return sorted(self.rows, key=lambda row: (not row.errors, row.line.number))

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """How many of each kind there are, the kind in words."""
        found = Counter(row.kind for row in self.rows if row.kind and not row.errors)
        return [(life.words(kind).lower(), found[kind]) for kind in Happened if found[kind]]

    @property
    def needs_order(self) -> str:
        """A date of the file that means another day, or none, in another order; empty where all are plain."""
        return next(
            (cell for row in self.rows if row.on and not written_days.is_plain(cell := row.line.cell("on"))),
            "",
        )

    @property
    def payment_ids(self) -> list[int]:
        return sorted({row.payment.id for row in self.rows if row.payment})

    @property
    def invoice_ids(self) -> list[int]:
        return sorted({one.invoice_id for row in self.rows if row.payment for one in row.payment.allocations})


def preview(words: str, order: Order) -> Preview:
    """What the file would record, its dates read in one order. Raises UnreadableFile."""
    rows = [Row(line) for line in upload_file.read(words, upload_file.EVENTS)]
    event_rows.find_payments(rows)
    for row in rows:
        event_rows.read_values(row, order)
    event_rows.refuse_repeats(rows)
    for row in rows:
        event_rows.check(row)
    return Preview(rows, words, order)


def record(actor: Actor, shown: Preview, *, key: str) -> int | None:
    """Records all rows; how many this file made, or None where a row cannot be recorded.

    The rows are looked at again while their invoices and payments are locked. The same key and file again give the
    first answer. Raises KeyReused. The caller commits, or rolls back on None, then rings the bell.
    """
    digest = hashlib.sha256(shown.words.encode()).hexdigest()
    claimed = idempotency.claim_form(FORM, key, {"file": digest, "order": shown.order})
    if claimed.answer is not None:
        return int(claimed.answer["events"])
    ids, payment_ids = shown.invoice_ids, shown.payment_ids
    ledger.lock_invoices(ids)
    of_these = scoped(Payment).where(Payment.id.in_(payment_ids)).order_by(Payment.id)
    db.session.scalars(of_these.with_for_update(of=Payment)).all()
    fresh = preview(shown.words, shown.order)
    if fresh.faulty or fresh.payment_ids != payment_ids:
        return None
    made, closed = [], ledger.came_back.closed_as(ids)
    for row in fresh.rows:
        assert row.payment is not None
        event = life.write(actor, row.payment, row.allocations, row.new_event, closed)
        made.append((row.payment, event))
    ledger.restate(ids)
    idempotency.keep(claimed, events=len(made))
    life.tell(actor, made)
    return len(made)
