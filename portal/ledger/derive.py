"""Derives, for a set of invoices, everything that follows from their rows: one statement a step."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.ledger import conflicts, unmatching
from portal.ledger.closing import IS_CLOSED, IS_GONE


def _step(sql: str) -> Any:
    return text(sql).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


# All who change invoices lock them in this order, so that a sync page and a payment cannot deadlock.
LOCK = _step("""
    SELECT id, match_ends_at IS NOT NULL AS match_ends FROM invoice
    WHERE tenant_id = :tenant_id AND id = ANY(:ids) ORDER BY id FOR UPDATE""")

# A paid date that the portal did not write settles what payments and credits here leave open (rule 4.2).
AMOUNTS = _step("""
    WITH sums AS (
        SELECT i.id, came.paid, came.pending,
            coalesce((SELECT sum(c.amount) FROM credit_application c
                WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.removed_at IS NULL), 0) AS credited,
            coalesce((SELECT sum(c.amount) FROM credit_application c
                WHERE c.tenant_id = i.tenant_id AND c.credit_invoice_id = i.id AND c.removed_at IS NULL), 0)
                AS applied,
            i.autotask_paid_on IS NOT NULL AND NOT i.is_voided
                AND i.autotask_paid_on IS DISTINCT FROM d.our_mark_on AS marked_by_autotask
        FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(a.amount), 0) AS paid,
                coalesce(sum(a.amount) FILTER (WHERE p.pending), 0) AS pending
            FROM allocation a
            JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
            WHERE a.tenant_id = i.tenant_id AND a.invoice_id = i.id) came
        WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)
    ), new AS (
        SELECT i.id, s.paid, s.pending, s.credited, s.applied, CASE WHEN s.marked_by_autotask
            THEN greatest(i.amount_due - s.paid - s.credited, 0) ELSE 0 END AS settled
        FROM sums s JOIN invoice i ON i.tenant_id = :tenant_id AND i.id = s.id
    )
    UPDATE invoice i
    SET paid_amount = new.paid, credited_amount = new.credited, applied_amount = new.applied,
        settled_amount = new.settled, pending_amount = new.pending
    FROM new WHERE i.tenant_id = :tenant_id AND i.id = new.id
        AND (i.paid_amount, i.credited_amount, i.applied_amount, i.settled_amount, i.pending_amount)
            IS DISTINCT FROM (new.paid, new.credited, new.applied, new.settled, new.pending)""")

END_SETTLEMENTS = _step("""
    UPDATE settlement s SET removed_at = now()
    FROM invoice i
    WHERE s.tenant_id = :tenant_id AND s.invoice_id = ANY(:ids) AND s.removed_at IS NULL
        AND i.tenant_id = s.tenant_id AND i.id = s.invoice_id
        AND (s.amount, s.settled_on) IS DISTINCT FROM (i.settled_amount, i.autotask_paid_on)""")

BEGIN_SETTLEMENTS = _step("""
    INSERT INTO settlement (tenant_id, invoice_id, amount, settled_on)
    SELECT i.tenant_id, i.id, i.settled_amount, i.autotask_paid_on FROM invoice i
    WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids) AND i.settled_amount > 0
    ON CONFLICT (tenant_id, invoice_id) WHERE removed_at IS NULL DO NOTHING""")

# The wish is "paid on the date of the last payment" once payments and credits cover the amount due, and
# "not paid" otherwise (rule 5.5); what is held back until it is settled covers nothing there yet, and of a
# match that is taken back nothing does (unmatching.py). Where money came back although
# Autotask's people call it paid, a person may want to clear that, which takes a delivery. A voided invoice keeps its last wish while payments cover it: nothing is
# written to it. While a worker holds the row, only the version rises; the worker finds that when it settles
# (rule 5.6).
WISHES = _step(
    """
    WITH wished AS (
        SELECT i.tenant_id, i.id AS invoice_id,
            CASE WHEN i.match_ends_at IS NULL AND i.amount_due > 0
                AND i.paid_amount + i.credited_amount - came.held >= i.amount_due THEN greatest(
                came.last_on,
                (SELECT max(c.applied_on) FROM credit_application c
                    WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.removed_at IS NULL)
            ) END AS wish
        FROM invoice i CROSS JOIN LATERAL (
            SELECT coalesce(sum(a.amount) FILTER (WHERE p.pending AND p.held), 0) AS held,
                max(p.paid_on) FILTER (WHERE a.amount > 0 AND NOT (p.pending AND p.held)) AS last_on
            FROM allocation a
            JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
            WHERE a.tenant_id = i.tenant_id AND a.invoice_id = i.id) came
        WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)
            AND i.autotask_id IS NOT NULL AND i.integration_id IS NOT NULL
            AND (NOT i.is_voided OR i.paid_amount + i.credited_amount < i.amount_due)
            AND NOT IS_GONE
    )
    INSERT INTO delivery (tenant_id, invoice_id, wish_paid_on, state, next_try_at)
    SELECT w.tenant_id, w.invoice_id, w.wish, 'waiting', now() FROM wished w
    WHERE w.wish IS NOT NULL OR EXISTS (
        SELECT FROM delivery d WHERE d.tenant_id = w.tenant_id AND d.invoice_id = w.invoice_id)
        OR EXISTS (SELECT FROM payment_event_part x
            WHERE x.tenant_id = w.tenant_id AND x.invoice_id = w.invoice_id AND x.closed_as = 'paid_there')
    ORDER BY w.invoice_id
    ON CONFLICT (tenant_id, invoice_id) DO UPDATE SET
        wish_paid_on = excluded.wish_paid_on, wish_version = delivery.wish_version + 1, wished_at = now(),
        state = CASE WHEN delivery.state = 'sending' THEN 'sending' ELSE 'waiting' END,
        closed_at = NULL, attempts = 0, next_try_at = now(), error = NULL, error_kind = NULL
    WHERE delivery.wish_paid_on IS DISTINCT FROM excluded.wish_paid_on OR delivery.IS_CLOSED""".replace(
        "IS_GONE", IS_GONE
    ).replace("IS_CLOSED", IS_CLOSED)
)

AGREEMENTS = _step(
    """
    WITH judged AS (
        SELECT i.id, CASE
            WHEN VOIDED_WITH_PAYMENTS THEN 'differs'
            WHEN i.autotask_id IS NULL THEN 'portal_only'
            WHEN i.is_voided THEN 'voided'
            WHEN i.missing_since IS NOT NULL THEN 'missing'
            WHEN d.state IN ('waiting', 'sending') THEN 'waiting'
            WHEN (d.state = 'parked' AND NOT d.IS_CLOSED) OR i.locally_changed_at IS NOT NULL
                OR (d.wish_paid_on IS NOT NULL AND i.autotask_paid_on IS NULL)
                OR (d.wish_paid_on IS NULL AND i.autotask_paid_on = d.our_mark_on) THEN 'differs'
            WHEN i.outside_filters_at IS NOT NULL THEN 'outside_filters'
            ELSE 'agrees' END AS agreement
        FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
        WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids)
    )
    UPDATE invoice i SET agreement = judged.agreement FROM judged
    WHERE i.tenant_id = :tenant_id AND i.id = judged.id AND i.agreement <> judged.agreement""".replace(
        "IS_CLOSED", IS_CLOSED
    ).replace("VOIDED_WITH_PAYMENTS", conflicts.VOIDED_WITH_PAYMENTS)
)

# Columns of an invoice that is made, as SQL over its values `s`. Nothing is recorded against it or sent yet, so
# they are what AMOUNTS and AGREEMENTS would find; begin() adds what does not stand in its row.
AT_FIRST = {
    "settled_amount": "CASE WHEN s.autotask_paid_on IS NOT NULL AND NOT s.is_voided "
    "THEN greatest(s.amount_due, 0) ELSE 0 END",
    "agreement": "CASE WHEN s.is_voided THEN 'voided' ELSE 'agrees' END",
}

STEPS = (AMOUNTS, END_SETTLEMENTS, BEGIN_SETTLEMENTS, WISHES, AGREEMENTS)


def lock_invoices(invoice_ids: Sequence[int]) -> None:
    """Holds these invoices until the transaction ends, in the order that everybody uses."""
    _run(LOCK, invoice_ids)


def restate(invoice_ids: Sequence[int]) -> None:
    """Recomputes amounts, settlements, wishes, agreement and exceptions of these invoices from their rows.

    Safe to run twice: it writes only what differs. The caller commits, then rings the bell.
    """
    if not invoice_ids:
        return
    db.session.flush()
    if any(row.match_ends for row in _run(LOCK, invoice_ids)):
        unmatching.end(invoice_ids)
    for step in STEPS:
        _run(step, invoice_ids)
    conflicts.judge(invoice_ids)


def begin(invoice_ids: Sequence[int]) -> None:
    """Does for invoices made just now, with AT_FIRST in their rows, what restate() would. The caller commits."""
    if invoice_ids:
        _run(BEGIN_SETTLEMENTS, invoice_ids)


def _run(step: Any, invoice_ids: Sequence[int]) -> Any:
    return db.session.execute(step, {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)})
