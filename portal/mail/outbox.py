"""The writing side of the outbox: a mail is a row of the caller's transaction, and goes out after its commit.

Who is in scope owns the mail: the partner, or, outside every partner, the person.
"""

import secrets
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from typing import Any

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from portal import clock, crypto, formatters
from portal.access.tenancy import tenant_in_scope
from portal.extensions import db
from portal.logs import after_commit
from portal.mail import kinds
from portal.models import Mail, MailKind, MailSecret, MailState
from portal.plain_text import cleaned

LONGEST_ADDRESS = 254


class BadAddress(ValueError):
    """No mail can go to this address."""


def write(
    kind: MailKind,
    *,
    to: str,
    user_id: int | None = None,
    link: str | None = None,
    expires_at: datetime | None = None,
    cause: str = "",
    **words: Any,
) -> Mail | None:
    """One mail to `to`. Never commits; None if this cause was already told to this address.

    `link` is a path such as `/invitations/<token>`: it is encrypted, and erased once the mail was sent or
    `expires_at` has come, after which the mail is not sent at all. `words` are the parameters of the kind
    (kinds.py); instants become text in the partner's zone. Raises TypeError for others, BadAddress.
    """
    kinds.check(kind, set(words), link=link is not None)
    address, tenant_id = checked(to), tenant_in_scope()
    mail_id = _put(
        tenant_id=tenant_id,
        user_id=user_id,
        kind=kind,
        to_address=address,
        words={name: _plain(value) for name, value in words.items()},
        cause=_cause(tenant_id, kind, cause, address),
        expires_at=expires_at,
    )
    if mail_id is None:
        return None
    if link is not None:
        _seal(mail_id, tenant_id, link)
    after_commit.say("mail.written", mail_id=mail_id, kind=kind)
    return db.session.get_one(Mail, mail_id)


def _put(**values: Any) -> int | None:
    """The id of the new row, or None where its cause is known."""
    state = MailState.WAITING if current_app.config["MAIL"] else MailState.KEPT
    named = insert(Mail).values(**values, state=state, message_id=f"<{secrets.token_hex(16)}@{_domain()}>")
    return db.session.scalar(named.on_conflict_do_nothing(index_elements=["cause"]).returning(Mail.id))


def link_of(mail: Mail) -> str | None:
    """The path that a mail leads to, while it is kept."""
    row = db.session.get(MailSecret, mail.id)
    if row is None:
        return None
    return crypto.decrypt(current_app.config["ENCRYPTION_KEYS"], _place(row.tenant_id, mail.id), row.sealed)


def erase_link(mail_id: int) -> None:
    """Safe to call twice. The caller commits."""
    db.session.execute(delete(MailSecret).where(MailSecret.mail_id == mail_id))


def erase_useless_links() -> None:
    """Those that ran out, of the mails in scope. Commits; safe to call twice."""
    over = select(Mail.id).where(Mail.expires_at <= clock.now())
    db.session.execute(delete(MailSecret).where(MailSecret.mail_id.in_(over)))
    db.session.commit()


def checked(address: str) -> str:
    """The address without spaces around it. Raises BadAddress."""
    given = address.strip()
    try:
        parts = Address(addr_spec=given)
    except (ValueError, IndexError, MessageError) as error:
        raise BadAddress("This is no e-mail address.") from error
    if not (given.isprintable() and parts.username and parts.domain) or len(given) > LONGEST_ADDRESS:
        raise BadAddress("This is no e-mail address.")
    return given


def _plain(value: Any) -> str | int | bool | list[str]:
    if isinstance(value, datetime):
        return formatters.instant(value, with_zone=True)
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [cleaned(str(one)) for one in value]
    return cleaned(str(value))


def _cause(tenant_id: int | None, kind: str, cause: str, address: str) -> str:
    return f"{tenant_id or 0}/{kind}/{cause or secrets.token_hex(16)}/{address.lower()}"


def _domain() -> str:
    server = current_app.config["MAIL"]
    return server.sender.rpartition("@")[2] if server else "portal.invalid"


def _seal(mail_id: int, tenant_id: int | None, link: str) -> None:
    sealed = crypto.encrypt(current_app.config["ENCRYPTION_KEYS"], _place(tenant_id, mail_id), link)
    db.session.execute(insert(MailSecret).values(mail_id=mail_id, tenant_id=tenant_id, sealed=sealed))


def _place(tenant_id: int | None, mail_id: int) -> str:
    return crypto.place(tenant_id or 0, "mail_secret", "sealed", mail_id)
