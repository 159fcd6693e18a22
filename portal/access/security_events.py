"""What happened to a person's login: a row that they see, the log of each of their partners, and a mail."""

import hashlib
import secrets
from contextlib import suppress
from typing import Any

from flask import g, has_request_context, request
from sqlalchemy import select

from portal import clock
from portal.access import audit, told_events
from portal.access.actor import Actor, Source
from portal.access.tenancy import people_scope, system_scope, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import LOGIN_STARTED, FactorReset, MailKind, Membership, SecurityEvent, User
from portal.notices import people
from portal.web import device_words

PASSWORD_LINK = "login.password_link"  # noqa: S105 - the name of an event
PASSWORD_CHANGED = "login.password_changed"  # noqa: S105 - the name of an event
FACTOR_ADDED = "login.factor_added"
FACTOR_REMOVED = "login.factor_removed"
CODES_MADE = "login.recovery_codes_made"
CODE_USED = "login.recovery_code_used"
CODES_REFUSED = "login.codes_refused"
FACTORS_RESET = "login.factors_reset"
SIGNED_OUT = "login.signed_out_everywhere"
EMAIL_CHANGED = "login.email_changed"
FACTORS_LOST = "login.factors_lost"
FACTORS_AGREED = "login.factors_agreed"
FACTORS_TO_GO = "login.factors_to_go"
FACTORS_KEPT = "login.factors_kept"
# What a person reads, in mails and on their page.
SENTENCES = {
    LOGIN_STARTED: "Logged in",
    PASSWORD_LINK: "A link for a new password was made",
    PASSWORD_CHANGED: "The password was changed",
    FACTOR_ADDED: "A second factor was added",
    FACTOR_REMOVED: "A second factor was removed",
    CODES_MADE: "New recovery codes were made; those before open nothing any more",
    CODE_USED: "A recovery code was used",
    CODES_REFUSED: "Somebody with the right password typed several wrong codes",
    FACTORS_RESET: "All second factors were taken away",
    SIGNED_OUT: "Logged out everywhere",
    EMAIL_CHANGED: "The e-mail address was changed",
    FACTORS_LOST: "Somebody with the right password asked to have all second factors taken away",
    FACTORS_AGREED: "Somebody made sure that it was you who asked to have the second factors taken away",
    FACTORS_TO_GO: "Enough people made sure that it was you: a day later the second factors are taken away",
    FACTORS_KEPT: "Your second factors stay: a request to take them away was stopped",
    **told_events.SENTENCES,
}
MORE = {
    PASSWORD_LINK: "Made by {by}. It works once, for an hour",
    FACTOR_ADDED: "{kind} “{factor}”",
    FACTOR_REMOVED: "{kind} “{factor}”",
    FACTORS_RESET: "Because: {reason}",
    EMAIL_CHANGED: "From {before} to {after}",
    SIGNED_OUT: "By {by}",
    FACTORS_KEPT: "By {by}",
    FACTORS_AGREED: "By {by}",
    **told_events.MORE,
}


# What is to be done then, told by mail alone.
NEXT = {FACTORS_RESET: "Log in with your password and set up a new second factor"}
# What the log of one partner says of what an owner of another one did.
ELSEWHERE = {"by": "another partner of theirs", "how": "how stands in that partner's own log"}
# What opened a login, as a person says it.
WITH = {"password": "the password", "code": "a code", "passkey": "a passkey"}


def record(
    user: User, event: str, actor: Actor | None = None, also_to: str = "", **details: Any
) -> SecurityEvent:
    """Writes one event of this person, to all of their partners' logs too, with a mail. The caller commits.

    `also_to` is an address that the same mail goes to as well: the one that the person had before.
    """
    row = tell(user, event, also_to, **details)
    for tenant_id in partners_of(user):
        with tenant_scope(tenant_id):
            audit.record(
                actor or acting(), event, "user", user.id, name=user.label, **_logged(event, details)
            )
            if event == FACTOR_ADDED:
                people.tell_factor(row.id, user, str(details.get("kind", "")), clock.now())
    return row


def _logged(event: str, details: dict[str, Any]) -> dict[str, Any]:
    """The partners' logs name addresses as such, so that only those see them whose role works with people."""
    if event != EMAIL_CHANGED:
        return details
    return {
        name: {"email": value} if name in ("before", "after") else value for name, value in details.items()
    }


def tell(user: User, event: str, also_to: str = "", **details: Any) -> SecurityEvent:
    """Writes one event to the person's own list, with a mail. The caller commits.

    With `by`, somebody else did it: from where they did it is not the person's to know.
    """
    token = secrets.token_urlsafe(32)
    row = _write(user, event, details, token_hash(token))
    for address in (user.email, also_to):
        if address:
            _tell(user, address, row, token)
    return row


def log(user: User, event: str, actor: Actor, details: dict[str, str], partner_id: int | None = None) -> None:
    """Into the log of each of the person's partners; what an owner of one of them said stands in that one's alone."""
    for tenant_id in partners_of(user):
        known = partner_id in (None, tenant_id)
        told = details if known else {name: ELSEWHERE[name] for name in details}
        by = actor if known else Actor.system(actor.source)
        with tenant_scope(tenant_id):
            audit.record(by, event, "user", user.id, name=user.label, **told)


def ask_owners(user: User, reset: FactorReset) -> None:
    """Tells the owners of each of their partners that this person has lost all second factors. The caller commits."""
    for tenant_id in partners_of(user):
        with tenant_scope(tenant_id):
            people.tell_lost_factors(reset.id, user, reset.asked_at)


def note(user: User, event: str, **details: Any) -> SecurityEvent:
    """Writes one event to the person's own list only. The caller commits."""
    return _write(user, event, details, None)


def note_kept(user: User, what: str) -> None:
    """The person themselves ended their request to have all second factors taken away. The caller commits.

    `what` they did it with: "new password".
    """
    note(user, FACTORS_KEPT, by=f"your {what}")
    log(user, FACTORS_KEPT, Actor(Source.WEB, user.id, user.id), {"by": f"their {what}"})


def _write(user: User, event: str, details: dict[str, Any], opened_by: bytes | None) -> SecurityEvent:
    row = SecurityEvent(user_id=user.id, kind=event, details=details, token_hash=opened_by)
    if has_request_context() and "by" not in details:
        row.address = request.remote_addr or ""
        row.user_agent = request.user_agent.string[:300]
    with people_scope():
        db.session.add(row)
        db.session.flush()
    return row


def _tell(user: User, to: str, row: SecurityEvent, token: str) -> None:
    """A mail with the link that logs out everywhere; an address that takes no mail stands in nobody's way."""
    about = ". ".join(part for part in (more(row), NEXT.get(row.kind, "")) if part)
    with people_scope(), suppress(outbox.BadAddress):
        outbox.write(
            MailKind.SECURITY_EVENT,
            to=to,
            user_id=user.id,
            link=f"/links/was-this-you/{token}",
            what=SENTENCES[row.kind],
            at=clock.now(),
            more=f"{about}." if about else "",
            by=row.details.get("by", ""),
            **seen(row),
        )


def seen(row: SecurityEvent | FactorReset) -> dict[str, Any]:
    """With what, and from where, as far as it is known; parameters of a mail."""
    found: dict[str, Any] = {"device": device_words.device(row.user_agent)} if row.user_agent else {}
    return found | ({"place": device_words.place(row.address)} if row.address else {})


def more(row: SecurityEvent) -> str:
    """What is said of an event besides its sentence, without the full stop at its end."""
    try:
        return MORE.get(row.kind, "").format(**row.details)
    except KeyError:  # an older row, which lacks what is told today
        return ""


def how(row: SecurityEvent) -> str:
    """With what a login began, where that was noted."""
    named = str(row.details.get("how") or "")
    return f"with {WITH.get(named, named)}" if named else ""


def who(actor: Actor) -> str:
    """Whoever acts, as the person it happened to is told."""
    user = db.session.get(User, actor.true_user_id) if actor.true_user_id else None
    return user.label if user else "the portal's operator"


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def acting() -> Actor:
    """Who acts in this request; else an operator."""
    actor: Actor | None = g.get("actor") if has_request_context() else None
    return actor or Actor(source=Source.COMMAND)


def partners_of(user: User) -> list[int]:
    """The ids of the partners that a person belongs to."""
    with system_scope():
        query = select(Membership.tenant_id).where(Membership.user_id == user.id)
        return list(db.session.scalars(query.order_by(Membership.tenant_id)))
