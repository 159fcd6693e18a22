"""The logo that a partner's mails show; a person's own mails show none."""

import structlog

from portal import storage
from portal.extensions import db
from portal.models import Tenant

log = structlog.get_logger(__name__)


def of(tenant_id: int | None) -> bytes | None:
    """The partner's PNG; a mail goes out without it where the storage is away. Ends its transaction."""
    if not tenant_id:
        return None
    try:
        partner = db.session.get(Tenant, tenant_id)
        return storage.get(partner.id, partner.logo_key) if partner and partner.logo_key else None
    except storage.StorageFailed as failure:
        log.warning("logo.not_read", tenant_id=tenant_id, reason=str(failure))
        return None
    finally:
        db.session.commit()
