"""Operations in bulk: what a round of them changes in the database, as rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, text

from portal import ledger
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Allocation, CreditApplication, Customer, Invoice, Payment
from tests.ledger.exact import Exact

DAY = date(2026, 11, 19)
CHANGED = text("""
    UPDATE invoice SET total_raw = new.total, tax_raw = new.tax, amount_due = new.due, autotask_paid_on = new.marked
    FROM unnest(CAST(:ids AS bigint[]), CAST(:totals AS numeric[]), CAST(:taxes AS numeric[]),
        CAST(:dues AS numeric[]), CAST(:marks AS date[])) AS new (id, total, tax, due, marked)
    WHERE tenant_id = :tenant_id AND invoice.id = new.id""")
DELETED = text("""
    UPDATE payment SET deleted_at = now(), deleted_reason = 'bounced'
    WHERE tenant_id = :tenant_id AND id = ANY(:ids)""")
FAILED = text("""
    UPDATE payment SET deleted_at = now(), deleted_reason = 'R01', ended_as = 'failed', pending = false
    WHERE tenant_id = :tenant_id AND id = ANY(:ids)""")
SETTLED = text("""
    UPDATE payment SET pending = false, settled_on = paid_on, settled_at = now()
    WHERE tenant_id = :tenant_id AND id = ANY(:ids)""")
# What is refunded is taken off the payment and its allocations (rule 5.10).
BACK = """FROM (SELECT {by}, sum(amount) AS amount
        FROM unnest(CAST(:payments AS bigint[]), CAST(:invoices AS bigint[]), CAST(:amounts AS numeric[]))
            AS each (payment_id, invoice_id, amount) GROUP BY {by}) AS back"""
REFUNDED = text(f"""
    UPDATE payment SET amount = payment.amount - back.amount, refunded_amount = refunded_amount + back.amount
    {BACK.format(by="payment_id")} WHERE tenant_id = :tenant_id AND payment.id = back.payment_id""")
PARTS_REFUNDED = text(f"""
    UPDATE allocation SET amount = allocation.amount - back.amount {BACK.format(by="payment_id, invoice_id")}
    WHERE tenant_id = :tenant_id AND allocation.payment_id = back.payment_id
        AND allocation.invoice_id = back.invoice_id""")
# What became of payments, as events with their parts: of what is written in one round, one event for each payment.
EVENTS = """
    WITH made AS (
        INSERT INTO payment_event (tenant_id, payment_id, kind, happened_on, amount, ends)
        SELECT p.tenant_id, p.id, '{kind}', p.paid_on, {amount}, {ends} RETURNING id, payment_id)
    INSERT INTO payment_event_part (tenant_id, event_id, invoice_id, amount)"""
FAILED_EVENTS = text(
    EVENTS.format(kind="failed", amount="p.amount", ends="true").replace(
        " RETURNING", " FROM payment p WHERE p.tenant_id = :tenant_id AND p.id = ANY(:ids) RETURNING"
    )
    + """
    SELECT a.tenant_id, made.id, a.invoice_id, a.amount FROM made
    JOIN allocation a ON a.tenant_id = :tenant_id AND a.payment_id = made.payment_id WHERE a.amount > 0"""
)
REFUNDED_EVENTS = text(
    EVENTS.format(kind="refunded", amount="back.amount", ends="false").replace(
        " RETURNING",
        f" {BACK.format(by='payment_id')} JOIN payment p ON p.tenant_id = :tenant_id AND p.id = back.payment_id RETURNING",
    )
    + f"""
    SELECT :tenant_id, made.id, back.invoice_id, back.amount {BACK.format(by="payment_id, invoice_id")}
    JOIN made USING (payment_id)"""
)
REMOVED = text(
    "UPDATE credit_application SET removed_at = now() WHERE tenant_id = :tenant_id AND id = ANY(:ids)"
)


@dataclass
class Round:
    """What is written together, as rows."""

    payments: list[dict[str, Any]] = field(default_factory=list)
    allocations: list[dict[str, Any]] = field(default_factory=list)
    credits: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    refunds: list[tuple[int, int, Decimal]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)

    def write(self, invoices: Mapping[int, Exact]) -> None:
        """Everything in a statement for each kind of row."""
        of_this = {"tenant_id": current_tenant_id()}
        for model, rows in (
            (Payment, self.payments),
            (Allocation, self.allocations),
            (CreditApplication, self.credits),
        ):
            if rows:
                db.session.execute(insert(model.__table__), [{**of_this, **row} for row in rows])
        self._refund(of_this)
        for statement, ids in (
            (SETTLED, self.settled),
            (DELETED, self.deleted),
            (FAILED_EVENTS, self.failed),
            (FAILED, self.failed),
            (REMOVED, self.removed),
        ):
            db.session.execute(statement, {**of_this, "ids": ids})
        changed = [invoices[id] for id in self.changed]
        values = {
            "ids": [one.id for one in changed],
            "totals": [one.total for one in changed],
            "taxes": [one.tax for one in changed],
            "dues": [_due(one) for one in changed],
            "marks": [DAY if one.is_marked else None for one in changed],
        }
        db.session.execute(CHANGED, {**of_this, **values})

    def _refund(self, of_this: dict[str, Any]) -> None:
        payments, invoices, amounts = (
            map(list, zip(*self.refunds, strict=True)) if self.refunds else ([], [], [])
        )
        values = {**of_this, "payments": payments, "invoices": invoices, "amounts": amounts}
        for statement in (REFUNDED, PARTS_REFUNDED, REFUNDED_EVENTS):
            db.session.execute(statement, values)


def add_invoices(customer: Customer, amounts: Iterable[tuple[Decimal, Decimal]]) -> list[Exact]:
    """Invoices with these totals and taxes. Commits."""
    first = 1 + (db.session.scalar(select(func.max(Invoice.id))) or 0)
    made = [
        Exact(first + number, customer.currency, customer.id, total, tax)
        for number, (total, tax) in enumerate(amounts)
    ]
    db.session.execute(insert(Invoice.__table__), [_row(one, customer) for one in made])
    db.session.commit()
    return made


def _due(one: Exact) -> Decimal:
    """As the portal works it out."""
    return ledger.amount_due(one.total, one.tax, "without_tax", one.currency)


def _row(one: Exact, customer: Customer) -> dict[str, Any]:
    return {
        "tenant_id": customer.tenant_id,
        "integration_id": customer.integration_id,
        "autotask_id": one.id if customer.integration_id else None,
        "id": one.id,
        "customer_id": customer.id,
        "number": str(one.id),
        "issued_on": DAY,
        "currency": one.currency,
        "total_raw": one.total,
        "tax_raw": one.tax,
        "amount_due": _due(one),
    }
