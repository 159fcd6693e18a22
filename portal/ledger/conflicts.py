"""Exceptions that follow from what both sides say about an invoice (rules 3.9, 5.5 and 5.9)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import attention
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.formatters import day, money, written_for
from portal.ledger import came_back, closing
from portal.ledger.conflict_sentences import mark_changed, set_back_to_unpaid
from portal.models import Cause, ExceptionItem, ExceptionState, Tenant
from portal.money import plain

# Of an invoice `i`. Home's comparison and the month of the payments both go by it.
VOIDED_WITH_PAYMENTS = "(i.is_voided AND i.paid_amount + i.credited_amount > 0)"

BOTH_SIDES = text(
    """
    SELECT i.id, i.autotask_id, i.number, i.currency, i.amount_due, i.is_voided, i.autotask_paid_on,
        i.paid_amount + i.credited_amount AS covered,
        IS_GONE AS is_gone, VOIDED_WITH_PAYMENTS AS voided_with_payments, d.state, d.error_kind, d.wish_paid_on, d.our_mark_on,
        EXISTS (SELECT FROM allocation a
            JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
            WHERE a.tenant_id = i.tenant_id AND a.invoice_id = i.id AND a.amount > 0 AND p.currency <> i.currency)
            AS other_currency,
        EXISTS (SELECT FROM exception_item e WHERE e.tenant_id = i.tenant_id AND e.invoice_id = i.id
            AND e.state = 'open' AND e.subject_type = 'payment') AS has_money_back
    FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
    WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)
        AND (d.id IS NOT NULL OR i.paid_amount + i.credited_amount > 0
            OR EXISTS (SELECT FROM exception_item e
                WHERE e.tenant_id = i.tenant_id AND e.invoice_id = i.id AND e.state = 'open'))
    """.replace("IS_GONE", closing.IS_GONE).replace("VOIDED_WITH_PAYMENTS", VOIDED_WITH_PAYMENTS)
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


def judge(invoice_ids: Sequence[int]) -> None:
    """Opens what is in conflict now, and closes what no longer is."""
    rows = db.session.execute(BOTH_SIDES, {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)}).all()
    settled: dict[Cause, list[str]] = {}
    opened: list[tuple[Cause, Row[Any]]] = []
    closing.close([row.id for row in rows if row.is_gone])
    if back := [row.id for row in rows if row.has_money_back]:
        came_back.close(back)
    for row in rows:
        for cause, check in CHECKS.items():
            if not (cause in OF_AUTOTASK and row.is_gone) and check(row):
                opened.append((cause, row))
            else:
                settled.setdefault(cause, []).append(_key(row))
    if opened:
        with written_for(db.session.get_one(Tenant, current_tenant_id())):
            for cause, row in opened:
                _open(cause, row, CHECKS[cause](row) or "")
    for cause in _open_causes(settled):
        attention.close_items(cause, "invoice", settled[cause])


def _open_causes(settled: dict[Cause, list[str]]) -> list[Cause]:
    """Those with something open: mostly none, and one question is cheaper than a statement for each."""
    keys = {key for found in settled.values() for key in found}
    open_ones = (
        select(ExceptionItem.cause)
        .distinct()
        .where(
            ExceptionItem.tenant_id == current_tenant_id(),
            ExceptionItem.subject_type == "invoice",
            ExceptionItem.subject_key.in_(keys),
            ExceptionItem.state == ExceptionState.OPEN,
        )
    )
    return [cause for cause in map(Cause, db.session.scalars(open_ones)) if cause in settled]


def _overpaid(row: Row[Any]) -> str | None:
    over = row.covered - row.amount_due
    if row.is_voided or row.amount_due < 0 or over <= 0:
        return None
    return (
        f"Payments and credits here are {money(over, row.currency)} more than the invoice now asks for. "
        "The invoice stays paid. Delete or change a payment, or give the customer the difference back."
    )


def _voided_with_payments(row: Row[Any]) -> str | None:
    if not row.voided_with_payments:
        return None
    return (
        f"The invoice was voided in Autotask, but {money(row.covered, row.currency)} is recorded "
        "against it here. The payment is kept. Delete it and record it against the invoice that replaces this one."
    )


def _unpaid_in_autotask(row: Row[Any]) -> str | None:
    seen_by = row.state == "confirmed" or row.error_kind == Cause.UNPAID_IN_AUTOTASK
    confirmed = seen_by and row.wish_paid_on is not None
    if row.is_voided or not confirmed or row.autotask_paid_on is not None:
        return None
    return set_back_to_unpaid(row.wish_paid_on)


def _paid_mark_changed(row: Row[Any]) -> str | None:
    changed = row.our_mark_on is not None and row.autotask_paid_on not in (None, row.our_mark_on)
    if row.is_voided or not changed or row.wish_paid_on is not None:
        return None
    return mark_changed(row.autotask_paid_on)


def _paid_twice(row: Row[Any]) -> str | None:
    theirs_later = (
        row.wish_paid_on is not None
        and row.our_mark_on is None
        and row.autotask_paid_on is not None
        and row.autotask_paid_on > row.wish_paid_on
    )
    if row.is_voided or not theirs_later:
        return None
    return (
        f"Autotask's people marked this invoice as paid on {day(row.autotask_paid_on)}, after the payment of "
        f"{day(row.wish_paid_on)} recorded here. Check that the customer did not pay twice."
    )


def _currency_changed(row: Row[Any]) -> str | None:
    if not row.other_currency:
        return None
    return (
        f"The customer's currency in Autotask is now {row.currency}, but a payment here is in another one. "
        "Nothing is converted. Delete the payment and record it again in the right currency."
    )


# Between the two sides only: without Autotask's side there is nothing to decide.
OF_AUTOTASK = {Cause.UNPAID_IN_AUTOTASK, Cause.PAID_MARK_CHANGED, Cause.PAID_TWICE}
CHECKS = {
    Cause.OVERPAID: _overpaid,
    Cause.VOIDED_WITH_PAYMENTS: _voided_with_payments,
    Cause.UNPAID_IN_AUTOTASK: _unpaid_in_autotask,
    Cause.PAID_MARK_CHANGED: _paid_mark_changed,
    Cause.PAID_TWICE: _paid_twice,
    Cause.CURRENCY_CHANGED: _currency_changed,
}


def _open(cause: Cause, row: Row[Any], detail: str) -> None:
    attention.open_item(
        cause,
        "invoice",
        _key(row),
        label=f"Invoice {row.number}",
        detail=detail,
        ours={"paid_on": _day(row.wish_paid_on), "paid": plain(row.covered, row.currency)},
        theirs={
            "paid_on": _day(row.autotask_paid_on),
            "amount_due": plain(row.amount_due, row.currency),
            "voided": row.is_voided,
        },
        invoice_id=row.id,
    )


def _key(row: Row[Any]) -> str:
    return str(row.autotask_id) if row.autotask_id is not None else f"portal-{row.id}"


def _day(value: Any) -> str | None:
    return value.isoformat() if value else None
