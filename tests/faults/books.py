"""What must be true of two invoices, worked out anew from the payments that a history made."""

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tests.faults.vendor import TAX, Shown, Vendor

STANDING = """
    SELECT i.id, i.autotask_id, i.total_raw, i.amount_due, i.paid_amount, i.pending_amount, i.outstanding, i.is_voided,
        i.archived_at, NOT i.is_voided AND i.archived_at IS NULL AS takes_payments, i.autotask_paid_on, d.id AS delivery_id,
        CASE WHEN d.closed_at IS NULL THEN d.state ELSE 'closed' END AS state,
        d.wish_paid_on, d.wish_version, d.done_version, d.next_try_at, d.attempts, d.error_kind, ARRAY(SELECT e.cause FROM exception_item e
            WHERE e.tenant_id = i.tenant_id AND e.invoice_id = i.id AND e.state = 'open') AS causes,
        EXISTS (SELECT FROM payment_event_part x JOIN payment_event v ON v.tenant_id = x.tenant_id AND v.id = x.event_id
            WHERE x.tenant_id = i.tenant_id AND x.invoice_id = i.id AND x.closed_as IS NOT NULL
                AND (x.closed_as, v.kind) <> ('voided', 'refunded') AND NOT EXISTS (SELECT FROM exception_item e
                    WHERE e.tenant_id = x.tenant_id AND e.subject_type = 'payment' AND e.subject_key = x.id::text))
            AS untold
    FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
    ORDER BY i.id"""
# "not_taken" as long as a write of a dead worker may still arrive, "not_cleared" from then on.
NOT_CLEARED = {"not_cleared", "not_taken"}
PARKED_FOR = {"voided", "unpaid_in_autotask", "paid_mark_changed", "rejected", "not_found", *NOT_CLEARED}


@dataclass
class Paid:
    """A payment that is not deleted: amounts by invoice id."""

    on: date
    parts: dict[int, Decimal]
    pending: bool = False
    held: bool = False

    @property
    def waits(self) -> bool:
        """Autotask hears of it later."""
        return self.pending and self.held

    @property
    def half(self) -> Decimal:
        """About half of it, more than nothing."""
        return max((sum(self.parts.values(), Decimal(0)) / 2).quantize(Decimal("0.01")), Decimal("0.01"))


@dataclass
class Books:
    """The payments by id, oldest first."""

    superuser: psycopg.Connection
    payments: dict[int, Paid] = field(default_factory=dict)

    def standing(self) -> list[Any]:
        """Both invoices with their deliveries, as committed."""
        return self.superuser.cursor(row_factory=namedtuple_row).execute(STANDING).fetchall()

    def paid(self, invoice_id: int) -> Decimal:
        return sum((one.parts.get(invoice_id, Decimal(0)) for one in self.payments.values()), Decimal(0))

    def became(self, number: int, kind: str, amount: Decimal | None) -> None:
        """What came back is taken from the last allocation first; without an amount, all of it."""
        paid = self.payments[number]
        if kind == "settled":
            paid.pending = False
            return
        left = sum(paid.parts.values(), Decimal(0)) if amount is None else amount
        for invoice_id in reversed(paid.parts):
            taken = min(paid.parts[invoice_id], left)
            paid.parts[invoice_id] -= taken
            left -= taken
        if not any(paid.parts.values()):
            del self.payments[number]

    def on_its_way(self, invoice_id: int) -> Decimal:
        parts = (one.parts.get(invoice_id, Decimal(0)) for one in self.payments.values() if one.pending)
        return sum(parts, Decimal(0))

    def wish(self, row: Any) -> date | None:
        """Paid on the day of the last payment, once all is paid (rule 5.5)."""
        told = [one for one in self.payments.values() if one.parts.get(row.id) and not one.waits]
        if sum((one.parts[row.id] for one in told), Decimal(0)) < row.amount_due:
            return None
        return max((one.on for one in told), default=None)

    def add_up(self) -> None:
        """At any time: sums, versions and states fit."""
        for row in self.standing():
            assert row.paid_amount == self.paid(row.id), "a payment counts once, and none that was deleted"
            assert row.pending_amount == self.on_its_way(row.id), "what is on its way is known as such"
            assert not row.untold, "money that came back of an invoice closed elsewhere is told to a person"
            assert row.amount_due == _rounded(row.total_raw + TAX), "the amount due includes tax"
            assert row.state is None or row.done_version <= row.wish_version
            assert row.state != "confirmed" or row.done_version == row.wish_version
            assert row.state != "closed" or row.archived_at, "only what was archived is closed"
            assert row.state != "waiting" or row.next_try_at is not None

    def settled(self, invoice_id: int, wish_paid_on: date | None) -> None:
        """After a worker ended with what it carried: a wish that came meanwhile is not done by it."""
        for row in self.standing():
            if row.id == invoice_id and row.state == "confirmed":
                assert row.wish_paid_on == wish_paid_on, "only what was carried is done"

    def are_right(self, vendor: Vendor) -> None:
        """When all is calm: both sides agree, or a person is told why not."""
        self.add_up()
        for row in self.standing():
            if not row.is_voided:
                assert row.wish_paid_on == self.wish(row), "the wish follows from the payments"
            if row.state is not None:
                _delivered(row, vendor.invoices[row.autotask_id], vendor)


def _delivered(row: Any, shown: Shown, vendor: Vendor) -> None:
    assert row.state in ("confirmed", "parked"), row.state
    if row.state == "parked":
        assert row.error_kind in PARKED_FOR
        assert row.causes, "what is parked is told to a person"
    if shown.is_gone:
        return
    seen = (row.autotask_paid_on, row.is_voided, row.total_raw)
    assert seen == (shown.paid_on, shown.is_voided, shown.total), "the portal shows what Autotask holds"
    if shown.paid_on == row.wish_paid_on or shown.is_voided:
        return
    if not shown.is_theirs:
        excused = row.error_kind in NOT_CLEARED or row.autotask_id in vendor.was_refused
        assert row.state == "parked", "only what Autotask refused may differ"
        assert excused, row.error_kind
    elif row.state == "confirmed" and row.wish_paid_on is None:
        assert row.outstanding <= 0, "what Autotask's people call paid is settled"
    elif row.state == "confirmed":
        assert shown.paid_on is not None or "unpaid_in_autotask" in row.causes


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
