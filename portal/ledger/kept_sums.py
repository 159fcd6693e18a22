"""Sums that every page asks for, kept by PostgreSQL's triggers in the transaction that changes their rows.

A trigger adds rows with the difference and changes none: two transactions never wait for each other, none is lost, and
the sum over all rows is exact in every snapshot. `fold` makes one row of those that agree in their key.
"""

import random
from dataclasses import dataclass

import structlog
from sqlalchemy import select, text

from portal import clock
from portal.access.tenancy import current_tenant_id, tenant_scope
from portal.extensions import db
from portal.models import Tenant

LONGEST_SECONDS = 40.0  # of a regular duty; the rest waits for the next time
FEW = 50  # rows that are not worth folding
UNPAID = "status IN ('open', 'part_paid')"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Kept:
    """`rows` is SQL for the key and the amounts of each single row of `of`; `key` and `amounts` name them."""

    table: str
    of: str
    key: str
    amounts: tuple[str, ...]
    rows: str

    @property
    def names(self) -> str:
        return ", ".join(self.amounts)

    @property
    def summed(self) -> str:
        return ", ".join(f"sum({name}) AS {name}" for name in self.amounts)

    @property
    def negative(self) -> str:
        return ", ".join(f"-{name}" for name in self.amounts)

    @property
    def counts(self) -> str:
        return " OR ".join(f"sum({name}) <> 0" for name in self.amounts)


KEPT = (
    Kept(
        "invoice_sum",
        "invoice",
        "tenant_id, currency, status, agreement, archived, due_on",
        ("invoices", "outstanding"),
        f"""tenant_id, currency, status, agreement, archived_at IS NOT NULL AS archived,
            CASE WHEN {UNPAID} THEN due_on END AS due_on, 1 AS invoices, outstanding""",
    ),
    Kept(
        "customer_sum",
        "invoice",
        "tenant_id, customer_id, currency",
        ("invoices", "outstanding", "credit"),
        f"""tenant_id, customer_id, currency,
            CASE WHEN archived_at IS NULL AND {UNPAID} THEN 1 ELSE 0 END AS invoices,
            CASE WHEN archived_at IS NULL AND {UNPAID} THEN outstanding ELSE 0 END AS outstanding,
            CASE WHEN archived_at IS NULL AND status = 'credit' THEN outstanding ELSE 0 END AS credit""",
    ),
    Kept(
        "payment_sum",
        "payment",
        "tenant_id, currency, paid_on, deleted",
        ("payments", "amount"),
        "tenant_id, currency, paid_on, deleted_at IS NOT NULL AS deleted, 1 AS payments, amount",
    ),
)
SIZES = " UNION ALL ".join(
    f"""(SELECT coalesce(sum(n), 0)::bigint, count(*) FROM (
        SELECT count(*) AS n FROM {kept.table} WHERE tenant_id = :tenant_id GROUP BY {kept.key}) AS each)"""
    for kept in KEPT
)


@dataclass(frozen=True)
class Difference:
    """A kept sum that is not the sum of its rows, and by how much it is too small."""

    table: str
    key: str
    missing: str


def differences() -> list[Difference]:
    """The sums of the partner in scope that are not those of their rows: none, or a fault. Reads all its rows."""
    found = []
    for kept in KEPT:
        for row in db.session.execute(text(missing(kept)), {"tenant_id": current_tenant_id()}):
            values = [str(value) for value in row]
            cut = len(values) - len(kept.amounts)
            found.append(Difference(kept.table, " ".join(values[1:cut]), " ".join(values[cut:])))
    return found


def mend() -> None:
    """Brings the sums of the partner in scope up to their rows, while everybody goes on writing. Commits."""
    mine = {"tenant_id": current_tenant_id()}
    db.session.commit()
    for kept in KEPT:
        _alone()  # the statement after it sees what an earlier one wrote
        db.session.execute(text(_insert(kept, missing(kept))), mine)
        db.session.commit()


def fold() -> None:
    """Makes one row of those of the partner in scope that agree in their key, where there are many. Commits."""
    mine = {"tenant_id": current_tenant_id()}
    for (rows, keys), kept in zip(db.session.execute(text(SIZES), mine).all(), KEPT, strict=True):
        if rows > 2 * keys + FEW:
            db.session.execute(text(folded(kept)), mine)
    db.session.commit()


def fold_everywhere() -> bool:
    """The same for all partners, in another order each time. False if time was over first."""
    until = clock.monotonic() + LONGEST_SECONDS
    tenant_ids = list(db.session.scalars(select(Tenant.id)))
    random.shuffle(tenant_ids)  # where time is over, it is other partners' turn the next time
    for tenant_id in tenant_ids:
        db.session.commit()
        if clock.monotonic() > until:
            return False
        with tenant_scope(tenant_id):
            fold()
    return True


def _alone() -> None:
    """Nobody else mends this partner's sums until the transaction ends."""
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(7312, CAST(:id AS int))"), {"id": current_tenant_id() % 2**31}
    )


def missing(kept: Kept) -> str:
    """By key, what the rows add up to less what is kept: one statement sees both as of one moment."""
    return f"""
        SELECT {kept.key}, {kept.summed} FROM (
            SELECT {kept.rows} FROM {kept.of} WHERE tenant_id = :tenant_id
            UNION ALL SELECT {kept.key}, {kept.negative} FROM {kept.table} WHERE tenant_id = :tenant_id
        ) AS each GROUP BY {kept.key} HAVING {kept.counts}"""


def folded(kept: Kept) -> str:
    gone = f"DELETE FROM {kept.table} WHERE tenant_id = :tenant_id RETURNING *"
    sums = f"SELECT {kept.key}, {kept.summed} FROM gone GROUP BY {kept.key} HAVING {kept.counts}"
    return f"WITH gone AS ({gone}) {_insert(kept, sums)}"


def _insert(kept: Kept, rows: str) -> str:
    return f"INSERT INTO {kept.table} ({kept.key}, {kept.names}) {rows}"
