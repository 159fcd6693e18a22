"""The end of a match that a person takes back (rule 6): first what we wrote in Autotask is cleared, then both are apart.

From `match_ends_at` on the wish is "not paid"; once a delivery was settled for that, nothing of ours stands there, and
the invoice is one of the portal's own again.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import storage
from portal.access.tenancy import current_tenant_id
from portal.extensions import db

SENTENCE = "Closed: the match with that invoice in Autotask was taken back."
# A write that may still land there would mark an invoice that is nobody's here.
END = text("""
    UPDATE invoice i SET integration_id = NULL, autotask_id = NULL, autotask_number = NULL, autotask_created_at = NULL,
        autotask_due_on = NULL, autotask_paid_on = NULL, autotask_read_at = NULL, missing_since = NULL,
        outside_filters_at = NULL, is_voided = i.voided_by_source,
        voided_on = CASE WHEN i.voided_by_source THEN i.voided_on END,
        matched_by_hand_at = NULL, match_ends_at = NULL
    WHERE i.tenant_id = :tenant_id AND i.id = ANY(:ids) AND i.match_ends_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM delivery d
            WHERE d.tenant_id = i.tenant_id AND d.invoice_id = i.id AND d.closed_at IS NULL
                AND NOT (d.state = 'parked' AND d.error_kind = 'not_found')
                AND (d.state <> 'confirmed' OR d.wish_paid_on IS NOT NULL OR d.done_version < d.wish_version))
        AND NOT EXISTS (SELECT FROM delivery d JOIN delivery_attempt a
                ON a.tenant_id = d.tenant_id AND a.delivery_id = d.id AND a.may_land_until > clock_timestamp()
            WHERE d.tenant_id = i.tenant_id AND d.invoice_id = i.id)
    RETURNING i.id""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

# The row stays for its history, and for the next match.
FORGET = text("""
    UPDATE delivery SET our_mark_on = NULL, shown_on = NULL, look_at = NULL, state = 'confirmed', closed_at = NULL,
        error = NULL, error_kind = NULL, next_try_at = NULL, wish_paid_on = NULL, done_version = wish_version
    WHERE tenant_id = :tenant_id AND invoice_id = ANY(:ids)""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)

# The PDF is that other invoice's.
DROP_PDFS = text("""
    DELETE FROM invoice_pdf WHERE tenant_id = :tenant_id AND invoice_id = ANY(:ids)
    RETURNING storage_key""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

# What both sides said of each other. Money that came back stays true, and so does what is about the invoice alone.
CLOSE = text("""
    UPDATE exception_item SET state = 'resolved', resolved_at = now(), resolution = :sentence
    WHERE tenant_id = :tenant_id AND invoice_id = ANY(:ids) AND state = 'open' AND subject_type <> 'payment'
        AND cause NOT IN ('match_none', 'match_several')""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)

# Asked of Autotask as soon as somebody looks what is due, not in an hour.
LOOK_ANEW = text("""
    UPDATE sync_schedule s SET next_due_at = clock_timestamp() FROM integration i
    WHERE s.tenant_id = :tenant_id AND s.kind = 'new' AND s.next_due_at > clock_timestamp()
        AND i.tenant_id = s.tenant_id AND i.id = s.integration_id AND i.role = 'secondary'""")


def end(invoice_ids: Sequence[int]) -> list[int]:
    """Parts those of these, locked, of which nothing of ours stands in Autotask any more; their ids."""
    values = {"tenant_id": current_tenant_id(), "ids": list(invoice_ids)}
    ended = [row.id for row in db.session.execute(END, values)]
    if ended:
        db.session.execute(FORGET, values | {"ids": ended})
        dropped = db.session.scalars(DROP_PDFS, values | {"ids": ended})
        storage.drop(current_tenant_id(), [key for key in dropped if key])
        db.session.execute(CLOSE, values | {"ids": ended, "sentence": SENTENCE})
        db.session.execute(LOOK_ANEW, values)
    return ended
