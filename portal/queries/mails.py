"""How did the portal's mails fare? All of them, read in the system's scope, which shows no link."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from werkzeug.exceptions import NotFound

from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.mail import logo, outbox, send
from portal.mail.drawing import CID, Drawn, draw
from portal.models import Mail, MailKind, MailState, Tenant
from portal.queries.paging import Key, Page, fetch

KINDS = {
    MailKind.INVITATION: "Invitation",
    MailKind.STAFF_INVITATION: "Invitation to staff",
    MailKind.PASSWORD_RESET: "New password",
    MailKind.EMAIL_CHANGE_OLD: "Change of e-mail, to the old address",
    MailKind.EMAIL_CHANGE_NEW: "Change of e-mail, to the new address",
    MailKind.SECURITY_EVENT: "Was this you?",
    MailKind.FACTORS_LOST: "Second factors lost",
    MailKind.FACTORS_TO_GO: "Second factors are to go",
    MailKind.NEEDS_RECONNECTING: "Autotask needs reconnecting",
    MailKind.RECONNECTED: "Autotask is connected again",
    MailKind.SYNC_LATE: "A sync is late",
    MailKind.SYNC_ON_TIME: "The late sync arrived",
    MailKind.PAYMENTS_STUCK: "Payments are stuck",
    MailKind.PAYMENTS_TOLD: "No payment is stuck any more",
    MailKind.SUPPORT_STARTED: "Support came in",
    MailKind.SUPPORT_ENDED: "Support has left",
    MailKind.PEOPLE_EVENT: "A new person, key or factor",
    MailKind.WEBHOOK_OFF: "A webhook was switched off",
    MailKind.DIGEST: "The week in numbers",
    MailKind.ALARM_BEGUN: "A promise is not kept",
    MailKind.ALARM_OVER: "The promise is kept again",
}
# State: badge and words.
STATES = {
    MailState.WAITING: ("waiting", "Waiting"),
    MailState.SENT: ("agrees", "Sent"),
    MailState.REFUSED: ("refused", "Refused"),
    MailState.GIVEN_UP: ("refused", "Given up"),
    MailState.EXPIRED: ("cancelled", "Link ran out"),
    MailState.KEPT: ("paused", "Kept, no mail server"),
}
STATE_CHOICES = [(state.value, words) for state, (_, words) in STATES.items()]
KIND_CHOICES = [(kind.value, words) for kind, words in KINDS.items()]


@dataclass(frozen=True)
class Listed:
    """One mail, and the partner it is of, if it is of one."""

    mail: Mail
    partner: str | None

    @property
    def kind(self) -> str:
        return KINDS.get(MailKind(self.mail.kind), self.mail.kind)

    @property
    def badge(self) -> tuple[str, str]:
        return STATES[MailState(self.mail.state)]

    @property
    def is_waiting(self) -> bool:
        return self.mail.state == MailState.WAITING

    @property
    def may_go_again(self) -> bool:
        """Whether a person may ask for it; a mail that was sent needs no second one, a link that ran out a new one."""
        return self.mail.state not in (MailState.SENT, MailState.EXPIRED)


def listed(args: Mapping[str, str]) -> Page:
    """A page of mails, newest first; `state` and `kind` narrow it."""
    query: Any = select(Mail, Tenant.name).outerjoin(Tenant, Tenant.id == Mail.tenant_id)
    for name, known in (("state", STATES), ("kind", KINDS)):
        if args.get(name) in known:
            query = query.where(getattr(Mail, name) == args[name])
    with system_scope():
        page = fetch(query, [Key(Mail.id)], args)
    return Page([Listed(mail, partner) for mail, partner in page.rows], page.newer, page.older)


def one(mail_id: int) -> Listed:
    """Raises NotFound."""
    query = select(Mail, Tenant.name).outerjoin(Tenant, Tenant.id == Mail.tenant_id).where(Mail.id == mail_id)
    with system_scope():
        row = db.session.execute(query).first() if 0 < mail_id < 2**63 else None
    if row is None:
        raise NotFound
    return Listed(*row)


def counts() -> dict[str, int]:
    """How many mails are in each state."""
    with system_scope():
        rows = db.session.execute(select(Mail.state, func.count().label("number")).group_by(Mail.state))
        return {row.state: row.number for row in rows}


def drawn(mail: Mail, *, with_link: bool = False) -> Drawn:
    """As it arrives, with its logo inside; its link is shown in the demo alone."""
    with send.scope_of(mail.tenant_id):
        found = draw(mail, outbox.link_of(mail) if with_link else None, logo.of(mail.tenant_id))
    return replace(found, html=found.html.replace(CID, data_address(found.logo))) if found.logo else found


def data_address(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()
