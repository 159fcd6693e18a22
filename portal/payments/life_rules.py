"""What can become of a payment, and what of it goes back: one set of rules for the form, the file, the API and the command."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from portal import clock, formatters
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Allocation, Happened, Payment, PaymentState, Tenant
from portal.money import ZERO, rounded
from portal.payments.rules import LONGEST_TEXT, AlreadyDeleted, PaymentRefused

MOST_EVENTS = 50
OVER = {
    PaymentState.DELETED: "This payment was deleted.",
    PaymentState.FAILED: "This payment failed already.",
    PaymentState.REFUNDED: "All of this payment was refunded already.",
    PaymentState.CHARGED_BACK: "This payment was charged back already.",
}


def possible(payment: Payment) -> list[Happened]:
    """What can become of it from where it stands."""
    if payment.deleted_at is not None:
        return []
    if payment.pending:
        return [Happened.SETTLED, Happened.FAILED]
    return [Happened.FAILED, Happened.REFUNDED, Happened.CHARGED_BACK]


def check(payment: Payment, kind: Happened, on: date, reason: str) -> None:
    """Whether this can happen to it. Raises PaymentRefused, AlreadyDeleted once it is over."""
    if payment.state in OVER:
        raise AlreadyDeleted(OVER[payment.state])
    if kind not in possible(payment):
        raise _why_not(payment, kind)
    if len(payment.events) >= MOST_EVENTS:
        raise PaymentRefused(
            f"{MOST_EVENTS} things happened to this payment already. It takes no more: delete the payment with the "
            "reason, which opens what is left of it.",
            "kind",
        )
    if len(reason) > LONGEST_TEXT:
        raise PaymentRefused(f"Use at most {LONGEST_TEXT} characters.", "reason")
    today = clock.today(db.session.get_one(Tenant, current_tenant_id()).time_zone)
    if on > today:
        raise PaymentRefused(
            f"{formatters.day(on)} is after today, {formatters.day(today)}. Use the day it happened.", "on"
        )
    if on < payment.paid_on:
        raise PaymentRefused(
            f"{formatters.day(on)} is before the payment of {formatters.day(payment.paid_on)}.", "on"
        )


def _why_not(payment: Payment, kind: Happened) -> PaymentRefused:
    if kind != Happened.SETTLED:
        return PaymentRefused(
            "Its money is still on its way. Record that it failed, or first that it has arrived.", "kind"
        )
    if payment.settled_on:
        return AlreadyDeleted(f"Its money arrived already, on {formatters.day(payment.settled_on)}.", "kind")
    return PaymentRefused("This payment was not recorded as on its way: its money is here already.", "kind")


def taken(
    payment: Payment,
    allocations: Sequence[Allocation],
    kind: Happened,
    amount: Decimal | None,
    parts: Sequence[tuple[int, Decimal]],
) -> Mapping[int, Decimal]:
    """By invoice: what of the payment goes back. Where nobody says, the first of `allocations` gives first.

    Raises PaymentRefused.
    """
    wanted = _wanted(payment, amount, parts)
    if kind == Happened.FAILED and wanted != payment.amount:
        raise PaymentRefused(
            "A payment fails as a whole. Leave the amount out, or record a refund.", "amount"
        )
    if parts:
        return _as_said(payment, allocations, wanted, parts)
    found, left = {}, wanted
    for one in allocations:
        found[one.invoice_id] = min(one.amount, left)
        left -= found[one.invoice_id]
    return found


def _wanted(payment: Payment, amount: Decimal | None, parts: Sequence[tuple[int, Decimal]]) -> Decimal:
    for invoice_id, one in [*parts, *([] if amount is None else [(None, amount)])]:
        if not one.is_finite() or one <= 0:
            raise PaymentRefused("The amount must be more than zero.", "amount", invoice_id)
        if one > payment.amount:
            counts = formatters.money(payment.amount, payment.currency)
            raise PaymentRefused(f"Only {counts} of this payment still counts.", "amount", invoice_id)
        if rounded(one, payment.currency) != one:
            raise PaymentRefused(
                f"The amount has more digits than {payment.currency} has.", "amount", invoice_id
            )
    if amount is None:
        return sum((part for _, part in parts), ZERO) if parts else payment.amount
    return amount


def _as_said(
    payment: Payment, allocations: Sequence[Allocation], wanted: Decimal, parts: Sequence[tuple[int, Decimal]]
) -> Mapping[int, Decimal]:
    held = {one.invoice_id: one.amount for one in allocations}
    found = dict(parts)
    if len(found) != len(parts):
        raise PaymentRefused("An invoice appears twice.", "allocations")
    for invoice_id, part in parts:
        if part > held.get(invoice_id, ZERO):
            raise PaymentRefused(
                "This payment gave an invoice less than is to come back of it.", "allocations", invoice_id
            )
    if sum(found.values(), ZERO) != wanted:
        told = formatters.money(wanted, payment.currency)
        raise PaymentRefused(f"What comes back of the invoices does not add up to {told}.", "allocations")
    return found
