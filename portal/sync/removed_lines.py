"""Lines that Autotask no longer has on their invoice: taken out here, and told."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.sync import changes, counts
from portal.sync.task import Writer


def with_ids(sql: str) -> Any:
    return text(sql).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


GONE = """
    DELETE FROM invoice_line l USING invoice i
    WHERE l.tenant_id = :tenant_id AND l.integration_id = :integration_id AND l.autotask_id IS NOT NULL
        AND i.tenant_id = l.tenant_id AND i.id = l.invoice_id AND NOT i.is_voided
        AND i.missing_since IS NULL AND i.outside_filters_at IS NULL
        AND l.autotask_id <> ALL(:ids) AND {where}
    RETURNING l.id, l.autotask_id, l.invoice_id, l.name, l.price_raw, i.number"""
GONE_IN_RANGE = with_ids(GONE.format(where="l.autotask_id > :low AND l.autotask_id <= :high"))
GONE_OF_INVOICES = with_ids(GONE.format(where="l.invoice_id = ANY(CAST(:invoice_ids AS bigint[]))"))
LOG_GONE = with_ids(
    changes.logging("""
        SELECT 'line', gone.id, gone.autotask_id, gone.label, 'Line removed', gone.price, NULL
        FROM unnest(:ids, CAST(:keys AS bigint[]), CAST(:labels AS text[]), CAST(:prices AS text[]))
            AS gone (id, autotask_id, label, price)""")
)


def take_out(
    by: Writer, items: counts.Items, statement: Any, present: Sequence[int], **values: Any
) -> list[int]:
    """Takes out lines that Autotask no longer has on their invoice; the invoices they were on."""
    scope = {"tenant_id": current_tenant_id(), "integration_id": by.integration_id}
    rows = db.session.execute(statement, {**scope, "ids": list(present), **values}).all()
    if rows:
        told = {
            "ids": [row.id for row in rows],
            "keys": [row.autotask_id for row in rows],
            "labels": [f"{row.number}, {row.name}" for row in rows],
            "prices": [str(row.price_raw) for row in rows],
        }
        db.session.execute(LOG_GONE, {"tenant_id": scope["tenant_id"], "run_id": by.run_id, **told})
        counts.add(items, counts.LINES, removed=len(rows))
    return sorted({row.invoice_id for row in rows})
