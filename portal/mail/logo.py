"""The logo that a partner's mails show; a person's own mails show none."""

from datetime import timedelta

import structlog
from flask import current_app

from portal import clock, storage
from portal.extensions import db
from portal.models import Tenant

log = structlog.get_logger(__name__)
# A storage that is away costs a mail seconds: for so long this process asks it for none.
PAUSE = timedelta(minutes=1)
ASKED_AGAIN = "logos_asked_again"  # seconds of the monotonic clock


def of(tenant_id: int | None) -> bytes | None:
    """The partner's PNG; a mail goes out without it where the storage is away. Ends the transaction, before it asks."""
    partner = db.session.get(Tenant, tenant_id) if tenant_id else None
    key = partner.logo_key if partner else ""
    db.session.commit()
    if not tenant_id or not key or clock.monotonic() < current_app.extensions.get(ASKED_AGAIN, 0.0):
        return None
    try:
        return storage.get(tenant_id, key)
    except storage.StorageFailed as failure:
        current_app.extensions[ASKED_AGAIN] = clock.monotonic() + PAUSE.total_seconds()
        log.warning("logo.not_read", tenant_id=tenant_id, reason=str(failure))
        return None
    finally:
        db.session.commit()
