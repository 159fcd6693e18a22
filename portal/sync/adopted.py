"""Invoices of the portal's own that were matched to Autotask's, and come in from there once it is primary (rule 6)."""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.sync.upsert import Row

ANY = text("""
    SELECT EXISTS (SELECT FROM customer c JOIN invoice i ON i.tenant_id = c.tenant_id AND i.customer_id = c.id
        WHERE c.tenant_id = :tenant_id AND c.autotask_id IS NULL AND i.integration_id = :integration_id)""")

# Locked, so that no payment can be recorded between this look and the writing of the page.
PAID = text("""
    SELECT i.autotask_id, i.customer_id, i.currency FROM invoice i
    JOIN customer c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id AND c.autotask_id IS NULL
    WHERE i.tenant_id = :tenant_id AND i.integration_id = :integration_id AND i.autotask_id = ANY(:ids)
        AND (EXISTS (SELECT FROM allocation a
                JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.deleted_at IS NULL
                WHERE a.tenant_id = i.tenant_id AND a.invoice_id = i.id)
            OR EXISTS (SELECT FROM credit_application x
                WHERE x.tenant_id = i.tenant_id AND x.invoice_id = i.id AND x.removed_at IS NULL))
    ORDER BY i.id FOR UPDATE OF i
    """).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


def are_there(integration_id: int) -> bool:
    """Whether any invoice of the portal's own customers is matched to one of Autotask's."""
    values = {"tenant_id": current_tenant_id(), "integration_id": integration_id}
    return bool(db.session.scalar(ANY, values))


def keep_customers(integration_id: int, rows: Sequence[Row]) -> None:
    """An adopted invoice stays with its customer while that one's money is on it; the others move to Autotask's."""
    ids = [row["autotask_id"] for row in rows]
    values = {"tenant_id": current_tenant_id(), "integration_id": integration_id, "ids": ids}
    found = db.session.execute(PAID, values)
    stays = {row.autotask_id: row for row in found}
    for row in rows:
        if row["autotask_id"] in stays:
            kept = stays[row["autotask_id"]]
            row["customer_id"], row["currency"] = kept.customer_id, kept.currency
