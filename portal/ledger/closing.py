"""An invoice that is no longer in Autotask and was archived here: nothing about it is owed to Autotask any more.

While both hold, its delivery is closed with its exceptions; restored, or back in Autotask, it goes on by itself.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.extensions import db

SENTENCE = "Closed: the invoice is no longer in Autotask and was archived here, so there is nothing to tell Autotask any more."
# The only place that writes it; the state stays one that the release before knows, and Delivery.state tells which it is.
IS_CLOSED = "closed_at IS NOT NULL"
# Of an invoice `i`. A delivery that did not find it knows before a complete read does.
IS_GONE = """(i.archived_at IS NOT NULL AND (i.missing_since IS NOT NULL OR EXISTS (
    SELECT FROM delivery g WHERE g.tenant_id = i.tenant_id AND g.invoice_id = i.id
        AND g.error_kind = 'not_found' AND g.state = 'parked')))"""

CLOSE_DELIVERIES = text("""
    UPDATE delivery SET state = 'parked', closed_at = now(), next_try_at = NULL, look_at = NULL, error = :sentence,
        error_kind = CASE WHEN error_kind = 'not_found' THEN error_kind ELSE 'archived' END
    WHERE tenant_id = :tenant_id AND invoice_id = ANY(:ids) AND state IN ('waiting', 'parked')
        AND closed_at IS NULL""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

CLOSE_EXCEPTIONS = text("""
    UPDATE exception_item SET state = 'resolved', resolved_at = now(), resolution = :sentence
    WHERE tenant_id = :tenant_id AND invoice_id = ANY(:ids) AND state = 'open' AND subject_type <> 'payment'
        AND cause IN (
        'delivery_refused', 'delivery_parked', 'not_cleared', 'unpaid_in_autotask', 'paid_mark_changed',
        'paid_twice', 'match_none', 'match_several', 'pdf_unavailable')
    """).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


def close(invoice_ids: Sequence[int]) -> None:
    """Closes what these invoices still owe Autotask; one on its way is closed once it has an answer."""
    values = {"tenant_id": current_tenant_id(), "ids": list(invoice_ids), "sentence": SENTENCE}
    for statement in (CLOSE_DELIVERIES, CLOSE_EXCEPTIONS) if invoice_ids else ():
        db.session.execute(statement, values)
