"""Writes a notice and its mails, in one transaction, once a cause. The caller commits; safe to run twice."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.logs import after_commit
from portal.mail import outbox
from portal.models import (
    Integration,
    MailKind,
    Membership,
    Notice,
    NoticeChoice,
    NoticeKind,
    Role,
    Tenant,
    User,
)

log = structlog.get_logger(__name__)
# Who connected Autotask hears of these as well, whether they log in here or not.
TO_INTEGRATION = (NoticeKind.NEEDS_RECONNECTING, NoticeKind.SYNC_LATE, NoticeKind.PAYMENTS_STUCK)


@dataclass(frozen=True)
class Words:
    """`text` is the notice in the portal, leading to `path`; `values` are the parameters of the mail."""

    text: str
    path: str
    mail: MailKind
    values: dict[str, Any] = field(default_factory=dict)


def tell(
    kind: NoticeKind, cause: str, words: Words, *, at: datetime | None = None, not_to: Collection[int] = ()
) -> int | None:
    """A new notice of the partner in scope; its id, or None if this cause was told or one of a standing kind is open.

    `at` is when it began, where that is not now.
    """
    statement = insert(Notice).values(
        tenant_id=current_tenant_id(),
        kind=kind,
        cause=cause,
        words=words.text,
        path=words.path,
        created_at=at or func.now(),
    )
    notice_id = db.session.scalar(statement.on_conflict_do_nothing().returning(Notice.id))
    if notice_id is not None:
        _mail(kind, f"notice/{notice_id}", words, not_to)
        after_commit.say("notice.told", notice_id=notice_id, kind=kind, tenant_id=current_tenant_id())
    return notice_id


def end(notice: Notice, words: Words | None, *, at: datetime | None = None) -> bool:
    """Says once that it is over, since `at` or now; without words nobody is told. False if it was over already."""
    ended = db.session.scalar(
        update(Notice)
        .where(Notice.tenant_id == notice.tenant_id, Notice.id == notice.id, Notice.ended_at.is_(None))
        .values(
            ended_at=at or func.now(),
            ended_words=words.text if words else None,
            changed_at=func.now() if words else Notice.changed_at,
        )
        .returning(Notice.id)
    )
    if ended is None:
        return False
    if words is not None:
        _mail(NoticeKind(notice.kind), f"notice/{notice.id}/ended", words, ())
    after_commit.say("notice.ended", notice_id=notice.id, kind=notice.kind, tenant_id=notice.tenant_id)
    return True


def page(endpoint: str, **values: Any) -> str:
    """The path of one of the partner's pages, also where no request is under way."""
    return current_app.url_map.bind("portal").build(endpoint, values)


def _mail(kind: NoticeKind, cause: str, words: Words, not_to: Collection[int]) -> None:
    partner = db.session.get_one(Tenant, current_tenant_id())
    for address, user_id in receivers(kind).items():
        if user_id in not_to:
            continue
        try:
            outbox.write(
                words.mail, to=address, user_id=user_id, cause=cause, partner=partner.name,
                page_path=words.path, **words.values,
            )  # fmt: skip
        except outbox.BadAddress:
            log.warning("notice.bad_address", kind=kind, user_id=user_id)


def receivers(kind: NoticeKind) -> dict[str, int | None]:
    """Address and person: the owners, and the integration's address for what it concerns, without who wants no such mail."""
    choice = (NoticeChoice.tenant_id == Membership.tenant_id) & (NoticeChoice.user_id == Membership.user_id)
    people = db.session.execute(
        select(User.id, User.email, Membership.role, NoticeChoice.no_mail)
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(NoticeChoice, choice)
        .where(Membership.tenant_id == current_tenant_id(), User.disabled_at.is_(None))
        .order_by(User.id)
    ).all()
    unwanted = {row.email.lower() for row in people if kind in (row.no_mail or ())}
    found: dict[str, int | None] = {
        row.email: row.id for row in people if row.role == Role.OWNER and row.email.lower() not in unwanted
    }
    if kind in TO_INTEGRATION:
        known = unwanted | {address.lower() for address in found}
        addresses = [integration.email for integration in db.session.scalars(scoped(Integration))]
        found |= dict.fromkeys((one for one in addresses if one.lower() not in known), None)
    return found
