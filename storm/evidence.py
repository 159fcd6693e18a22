"""What is known after the storm, from three sides: the checkouts, the portal's tables, Autotask itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from storm.checkouts import Request

PAYMENTS = """
SELECT p.id, p.reference, p.amount, p.deleted_at IS NOT NULL AS deleted,
    array_agg(i.autotask_id) AS invoices, sum(a.amount) AS allocated
FROM payment p JOIN allocation a USING (tenant_id) JOIN invoice i ON i.tenant_id = p.tenant_id
    AND i.id = a.invoice_id
WHERE a.payment_id = p.id GROUP BY p.tenant_id, p.id ORDER BY p.id"""

INVOICES = """
SELECT i.autotask_id, i.paid_amount, i.agreement, d.state, d.error_kind, d.error,
    d.done_version = d.wish_version AS done
FROM invoice i LEFT JOIN delivery d ON d.tenant_id = i.tenant_id AND d.invoice_id = i.id
WHERE i.autotask_id IS NOT NULL"""

EVENTS = """
SELECT event, subject_id, count(*) FROM audit_event
WHERE event IN ('payment.recorded', 'payment.deleted') GROUP BY event, subject_id"""


@dataclass(frozen=True)
class Row:
    """A payment in the portal's tables."""

    id: int
    reference: str
    amount: Decimal
    deleted: bool
    invoices: list[int]
    allocated: Decimal


@dataclass(frozen=True)
class Held:
    """An invoice in the portal's tables, with its delivery (`state` None: never had one)."""

    autotask_id: int
    paid_amount: Decimal
    agreement: str
    state: str | None
    error_kind: str | None
    error: str | None
    done: bool | None


@dataclass
class Evidence:
    """`totals` are the invoices' as Autotask was given them; `shown` the paid dates that its API gives now."""

    totals: dict[int, Decimal]
    requests: list[Request]
    payments: list[Row] = field(default_factory=list)
    invoices: dict[int, Held] = field(default_factory=dict)
    events: dict[tuple[str, int], int] = field(default_factory=dict)
    shown: dict[int, date | None] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: dict[str, int] = field(default_factory=dict)
    audit_break: int | None = None
    quiet: bool = True

    def by_reference(self) -> Counter[str]:
        return Counter(row.reference for row in self.payments)


def read_tables(evidence: Evidence, superuser_url: str) -> None:
    """Payments, invoices, deliveries and audit events as the database holds them."""
    with psycopg.connect(superuser_url) as connection:
        with connection.cursor(row_factory=class_row(Row)) as rows:
            evidence.payments = rows.execute(PAYMENTS).fetchall()
        with connection.cursor(row_factory=class_row(Held)) as held:
            evidence.invoices = {one.autotask_id: one for one in held.execute(INVOICES)}
        events = connection.execute(EVENTS).fetchall()
        evidence.events = {(event, subject): count for event, subject, count in events}
