"""Links in mails: a random token of which only the hash is kept, used once, and gone after a while.

Opening the page of a link changes nothing, because programs that look at mails open it first; sending its form does.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.access.tenancy import key_scope, people_scope
from portal.extensions import db
from portal.models import Invitation, LinkPurpose, LoginLink

PATH = "/links/"  # what comes after it never stands in a log


def path(kind: str, token: str) -> str:
    """Where a link leads: `kind` is invitation, password or email. Commands have no request to ask."""
    return f"{PATH}{kind}/{token}"


class DeadLink(Exception):
    """The link was used, has run out, was withdrawn, or never was: which one is not told."""


def new_token() -> tuple[str, bytes]:
    """A token for the mail, and the hash that is kept."""
    token = secrets.token_urlsafe(32)
    return token, digest(token)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def lives(row: Invitation | LoginLink) -> bool:
    return row.used_at is None and row.revoked_at is None and row.expires_at > clock.now()


def invitation_of(token: str) -> Invitation:
    """The living invitation of a token, readable outside its partner. Raises DeadLink."""
    with key_scope(digest(token)):
        row = db.session.scalar(select(Invitation).where(Invitation.token_hash == digest(token)))
    if row is None or not lives(row):
        raise DeadLink
    return row


def lock_invitation(row: Invitation, token: str) -> Invitation:
    """The invitation for its one use: in its partner's scope, until the transaction ends. Raises DeadLink."""
    held = db.session.scalar(
        select(Invitation)
        .where(Invitation.tenant_id == row.tenant_id, Invitation.id == row.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if held is None or not lives(held) or bytes(held.token_hash) != digest(token):
        raise DeadLink
    return held


def make(purpose: LinkPurpose, user_id: int | None, email: str, lasts: timedelta, pair: str = "") -> str:
    """A new link of a person, outside every partner; its token. Those made before for this end. Never commits."""
    token, hash_ = new_token()
    with people_scope():
        end_all(user_id, purpose)
        db.session.add(
            LoginLink(
                purpose=purpose,
                token_hash=hash_,
                user_id=user_id,
                email=email,
                pair=pair,
                expires_at=clock.now() + lasts,
            )
        )
        db.session.flush()
    return token


def end_all(user_id: int | None, *purposes: LinkPurpose, at: datetime | None = None) -> None:
    """The person's links of these purposes open nothing any more; without any purpose, all. Never commits."""
    found = LoginLink.user_id == user_id
    if purposes:
        found &= LoginLink.purpose.in_(purposes)
    statement = db.update(LoginLink).where(found, LoginLink.used_at.is_(None), LoginLink.revoked_at.is_(None))
    db.session.execute(statement.values(revoked_at=at or clock.now()))


def login_link(token: str, *purposes: LinkPurpose, lock: bool = False) -> LoginLink:
    """The living link of a token, outside every partner; `lock` holds it for its one use. Raises DeadLink."""
    query = select(LoginLink).where(
        LoginLink.token_hash == digest(token), LoginLink.purpose.in_(purposes), LoginLink.user_id.is_not(None)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None or not lives(row):
        raise DeadLink
    return row
