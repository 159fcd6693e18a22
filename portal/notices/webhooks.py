"""A webhook that took no message for days, or answered that it takes none any more, was switched off: told once for each time."""

from sqlalchemy import select, text

from portal import formatters
from portal.access.tenancy import current_tenant_id, scoped, system_scope
from portal.extensions import db
from portal.models import EndpointState, MailKind, NoticeKind, Tenant, WebhookEndpoint, WebhookMessage
from portal.notices import telling
from portal.notices.telling import Words

TO_TELL = text("""
    SELECT w.tenant_id, w.endpoint_id FROM webhook_standing w JOIN tenant t ON t.id = w.tenant_id AND t.disabled_at IS NULL
    WHERE w.state = 'switched_off' AND NOT EXISTS (SELECT FROM notice_standing n WHERE n.tenant_id = w.tenant_id
        AND n.kind = 'webhook_off' AND n.created_at >= w.off_since
        AND split_part(n.cause, '/', 1) = w.endpoint_id::text)""")


def to_tell() -> list[tuple[int, int]]:
    """Partner and id of those that were switched off and nobody was told of."""
    with system_scope():
        found = [(row.tenant_id, row.endpoint_id) for row in db.session.execute(TO_TELL)]
        db.session.commit()
    return found


def tell(endpoint_id: int, partner: Tenant) -> None:
    """Inside the partner. The caller commits."""
    row = db.session.scalar(
        scoped(WebhookEndpoint).where(
            WebhookEndpoint.id == endpoint_id, WebhookEndpoint.state == EndpointState.SWITCHED_OFF
        )
    )
    if row is None or row.off_since is None:
        return
    values = {
        "name": row.name,
        "since": row.failing_since or row.off_since,
        "reason": "" if row.is_gone else _last_words(endpoint_id),
        "gone": row.is_gone,
    }
    words = Words(
        f"The webhook “{row.name}” was switched off: {_why(row)}. "
        "Mend it or change its address, then choose “Test and switch on”.",
        telling.page("webhooks.show", partner_slug=partner.slug, endpoint_id=endpoint_id),
        MailKind.WEBHOOK_OFF,
        values,
    )
    telling.tell(NoticeKind.WEBHOOK_OFF, f"{endpoint_id}/{row.off_since.isoformat()}", words)


def _why(row: WebhookEndpoint) -> str:
    if row.is_gone:
        return "it answered that it takes no messages any more (410)"
    return (
        f"it took no message since {formatters.instant(row.failing_since or row.off_since, with_zone=True)}"
    )


def _last_words(endpoint_id: int) -> str:
    """What came of the newest try."""
    last = WebhookMessage.answers[-1]["words"].astext
    query = (
        select(last)
        .where(WebhookMessage.tenant_id == current_tenant_id(), WebhookMessage.endpoint_id == endpoint_id)
        .where(WebhookMessage.tries > 0)
        .order_by(WebhookMessage.answers[-1]["at"].astext.desc())
        .limit(1)
    )
    return db.session.scalar(query) or ""
