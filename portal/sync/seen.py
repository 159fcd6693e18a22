"""When unchanged invoices were last read: a row for each page's range of ids, so that the invoices stay as they are.

A range is exact: it is written only when the page holds every invoice that is here, and carries no mark, between its
first and last id. Otherwise its unchanged invoices say it themselves.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.sync.marks import HERE, UNPAID
from portal.sync.task import Writer
from portal.sync.upsert import Row

# What the page says of its range: nothing of it where an invoice that is here between its ends is not in the page.
KIND = f"""
    WITH beside AS (
        SELECT count(*) AS number, count(*) FILTER (WHERE {UNPAID}) AS unpaid FROM invoice
        WHERE {HERE} AND autotask_id BETWEEN :low AND :high AND autotask_id <> ALL(:keys)
    ), kind AS (
        SELECT number > 0 AS only_unpaid FROM beside WHERE number = 0 OR unpaid = 0 AND :all_unpaid
    )"""
NOTE = text(f"""{KIND}, inside AS (
        DELETE FROM read_range r USING kind WHERE r.tenant_id = :tenant_id AND r.integration_id = :integration_id
            AND r.only_unpaid = kind.only_unpaid AND r.low > :low AND r.high <= :high
    ), across AS (
        UPDATE read_range r SET high = :low - 1 FROM kind
        WHERE r.tenant_id = :tenant_id AND r.integration_id = :integration_id AND r.only_unpaid = kind.only_unpaid
            AND r.low < :low AND r.high BETWEEN :low AND :high
    )
    INSERT INTO read_range (tenant_id, integration_id, only_unpaid, low, high, read_at)
    SELECT :tenant_id, :integration_id, only_unpaid, :low, :high, CAST(:read_at AS timestamptz) FROM kind
    ON CONFLICT (tenant_id, integration_id, only_unpaid, low)
        DO UPDATE SET high = excluded.high, read_at = excluded.read_at
        WHERE read_range.read_at < excluded.read_at AND read_range.high <= excluded.high
    RETURNING id""").bindparams(bindparam("keys", type_=ARRAY(BigInteger)))
# A range that begins where the page does and goes further keeps what is beyond the page.
SHORTEN = text(f"""{KIND}
    UPDATE read_range r SET low = :high + 1 FROM kind
    WHERE r.tenant_id = :tenant_id AND r.integration_id = :integration_id AND r.only_unpaid = kind.only_unpaid
        AND r.low = :low AND r.high > :high AND r.read_at < :read_at AND NOT EXISTS (
            SELECT FROM read_range o WHERE o.tenant_id = r.tenant_id AND o.integration_id = r.integration_id
                AND o.only_unpaid = r.only_unpaid AND o.low = :high + 1)
    RETURNING r.id""").bindparams(bindparam("keys", type_=ARRAY(BigInteger)))

TOUCH = text("""
    UPDATE invoice SET autotask_read_at = :read_at
    WHERE tenant_id = :tenant_id AND id = ANY(:ids) AND autotask_read_at < :read_at""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)


def note(by: Writer, rows: Sequence[Row], same: Sequence[int], read_at: datetime) -> None:
    """After a page was written: its unchanged invoices, by internal id, were read at this moment."""
    if not same:
        return
    keys = [row["autotask_id"] for row in rows]
    values = {
        "tenant_id": current_tenant_id(),
        "integration_id": by.integration_id,
        "low": min(keys),
        "high": max(keys),
        "keys": keys,
        "all_unpaid": all(row["autotask_paid_on"] is None and not row["is_voided"] for row in rows),
        "read_at": read_at,
    }
    if not _is_noted(values):
        db.session.execute(TOUCH, {"tenant_id": values["tenant_id"], "read_at": read_at, "ids": list(same)})


def _is_noted(values: dict[str, Any]) -> bool:
    if db.session.execute(NOTE, values).first() is not None:
        return True
    shortened = db.session.execute(SHORTEN, values).first() is not None
    return shortened and db.session.execute(NOTE, values).first() is not None


FORGET = text("""
    DELETE FROM read_range WHERE tenant_id = :tenant_id AND integration_id = :integration_id
        AND read_at < :read_at AND (only_unpaid OR NOT :only_unpaid)""")


def forget_older(integration_id: int, read_at: datetime, *, only_unpaid: bool) -> None:
    """After a complete read that began at this moment: older ranges say nothing new. The caller commits."""
    values = {"tenant_id": current_tenant_id(), "integration_id": integration_id}
    db.session.execute(FORGET, {**values, "read_at": read_at, "only_unpaid": only_unpaid})
