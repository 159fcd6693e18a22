"""Many payments from one file: looked at first, then recorded all together or not at all (one transaction)."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal import ledger
from portal.access.actor import Actor
from portal.payments import idempotency, recording, upload_file, upload_rows, written_days
from portal.payments.upload_rows import Row
from portal.payments.written_days import Order

FORM = "upload"


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
    def warned(self) -> int:
        return sum(bool(row.warnings) for row in self.rows)

    @property
    def old_days(self) -> list[date]:
        """The days more than a year ago, oldest first: to be confirmed once for the file."""
        return sorted(row.paid_on for row in self.rows if row.is_old and row.paid_on)

    @property
    def needs_order(self) -> str:
        """A date of the file that means another day, or none, in another order; empty where all are plain."""
        return self._telling.line.cell("paid_on") if self._telling else ""

    @property
    def first_day(self) -> date | None:
        """What that date was read as."""
        return self._telling.paid_on if self._telling else None

    @property
    def _telling(self) -> Row | None:
        read = (row for row in self.rows if row.paid_on)
        return next((row for row in read if not written_days.is_plain(row.line.cell("paid_on"))), None)

    @property
    def in_order(self) -> list[Row]:
        """Rows to correct on top, then rows to look at, then the others as in the file."""
        return sorted(self.rows, key=lambda row: (not row.errors, not row.warnings, row.line.number))

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


def preview(words: str, order: Order) -> Preview:
    """What the file would record, its dates read in one order. Raises UnreadableFile."""
    rows = [Row(line) for line in upload_file.read(words)]
    upload_rows.find_invoices(rows)
    for row in rows:
        upload_rows.read_values(row, order)
        upload_rows.check_form(row)
    upload_rows.check_outstanding(rows)
    upload_rows.warn_of_repeats(
        [row for row in rows if row.invoice is not None and row.paid_on and not row.errors]
    )
    return Preview(rows, words, order)


def record(actor: Actor, shown: Preview, *, key: str, old_confirmed: bool = False) -> int | None:
    """Records all rows; how many payments this file made, or None where a row cannot be recorded or is not confirmed.

    The rows are looked at again while their invoices are locked, so that two people cannot pay one twice.

    The same key and file again give the first answer. Raises KeyReused. The caller commits, or rolls back on
    None, then rings the bell.
    """
    digest = hashlib.sha256(shown.words.encode()).hexdigest()
    claimed = idempotency.claim_form(FORM, key, {"file": digest, "order": shown.order})
    if claimed.answer is not None:
        return int(claimed.answer["payments"])
    ids = shown.invoice_ids
    ledger.lock_invoices(ids)
    fresh = preview(shown.words, shown.order)
    if fresh.faulty or fresh.invoice_ids != ids or (fresh.old_days and not old_confirmed):
        return None
    made = []
    for row in fresh.rows:
        assert row.invoice is not None
        made.append((row.new_payment, recording.add(actor, row.new_payment, [row.invoice])))
    ledger.restate(ids)
    idempotency.keep(claimed, payments=len(shown.rows))
    for new, payment in made:
        recording.tell(actor, new, payment)
    return len(shown.rows)
