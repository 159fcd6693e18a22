"""The sending side of the outbox. Safe to run twice and at the same time: a row is claimed by lease.

A mail goes out once. The one doubtful window is the moment between the server's 250 and our commit: a process that
dies there leaves a mail that was accepted and is sent again once its lease is over, under the same message id, by
which receivers know the second copy.
"""

import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, func, or_, select, update

from portal import clock
from portal.access.tenancy import people_scope, system_scope, tenant_scope
from portal.database import claims
from portal.extensions import db
from portal.logs import after_commit
from portal.mail import drawing, logo, outbox, smtp
from portal.mail.server import Server
from portal.mail.smtp import Answer, Outcome
from portal.models import Mail, MailState

log = structlog.get_logger(__name__)
MOST = 200
LEASE = timedelta(seconds=180)  # three times what one mail may take
# Three days, as mail servers themselves do it; greylisting lets a second try in after minutes.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, *[240] * 18)]
KILLED = (
    "Three times in a row the portal's own process died while it was sending this mail, so it does not try again by "
    "itself. It may have arrived."
)
DIED = "The process that was sending it died; it may arrive twice."
NO_SERVER = "There is no mail server (MAIL_URL). It is kept here, and not sent later by itself."
RAN_OUT = "Its link ran out before it could be sent."
INTERNAL = "The portal itself could not write this mail. It tries again by itself."


@dataclass(frozen=True)
class Claim:
    mail_id: int
    kind: str
    to: str
    token: str
    tries: int
    message: EmailMessage | None


def scope_of(tenant_id: int | None) -> AbstractContextManager[None]:
    """Where a mail's row can be written: inside its partner, or outside all of them."""
    return tenant_scope(tenant_id) if tenant_id else people_scope()


def due() -> list[tuple[int, int]]:
    """Partner (0: none) and id of the mails to send now, longest due first. Ends its transaction."""
    with system_scope():
        query = (
            select(func.coalesce(Mail.tenant_id, 0), Mail.id)
            .where(_is_due())
            .order_by(Mail.due_at, Mail.id)
            .limit(MOST)
        )
        found = [(tenant_id, mail_id) for tenant_id, mail_id in db.session.execute(query)]
        db.session.commit()
    return found


def oldest() -> datetime | None:
    """Since when the mail waits that has been due for longest and that nobody is sending."""
    with system_scope():
        return db.session.scalar(select(func.min(Mail.due_at)).where(_is_due()))


def send_due(seconds: float = 40.0) -> int:
    """Sends what is due, one after the other, for so long; how many were tried."""
    until, tried = clock.monotonic() + seconds, 0
    for key in due():
        if clock.monotonic() > until:
            break
        tried += send(*key) is not None
    return tried


def send(tenant_id: int, mail_id: int) -> Outcome | None:
    """Tries one mail, if it is due and nobody else is at it; None if not. No transaction is open meanwhile."""
    server: Server | None = current_app.config["MAIL"]
    with scope_of(tenant_id), claims.living():
        claim = _claim(mail_id, server, logo.of(tenant_id) if server else None)
        if claim is None or server is None:
            return None
        if claim.message is None:
            answer = Answer(Outcome.LATER, INTERNAL)
        else:
            answer = smtp.deliver(server, claim.to, claim.message)
        _settle(claim, answer)
        return answer.outcome


def again(mail: Mail) -> bool:
    """A person wishes that a mail which did not go out is tried once more; False if it cannot be. The caller commits."""
    needs_link = drawing.needs_link(mail)
    unsent = (MailState.REFUSED, MailState.GIVEN_UP, MailState.KEPT, MailState.WAITING)
    if mail.state not in unsent or current_app.config["MAIL"] is None:
        return False
    if needs_link and outbox.link_of(mail) is None:
        return False
    if mail.expires_at is not None and mail.expires_at <= clock.now():
        return False
    mail.state, mail.due_at, mail.tries = MailState.WAITING, clock.now(), 0
    return True


def _is_due() -> ColumnElement[bool]:
    now = func.clock_timestamp()
    free = or_(Mail.lease_until.is_(None), Mail.lease_until < now)
    return (Mail.state == MailState.WAITING) & (Mail.due_at <= now) & free


def _claim(mail_id: int, server: Server | None, picture: bytes | None) -> Claim | None:
    """Takes the row and draws the mail. Commits."""
    query = select(Mail).where(Mail.id == mail_id, _is_due()).with_for_update(skip_locked=True)
    mail = db.session.scalar(query.execution_options(populate_existing=True))
    if mail is None or server is None or (mail.expires_at is not None and mail.expires_at <= clock.now()):
        if mail is not None:
            _put_away(mail, server)
        db.session.commit()
        return None
    now, by = db.session.execute(select(func.clock_timestamp(), claims.SERVER)).one()
    died = claims.deaths(mail.lease_token, by)
    if died:
        mail.answer = DIED
        log.warning("mail.sender_died", mail_id=mail.id, deaths=died)
    if died >= claims.MOST_DEATHS:
        _give_up(mail)
        db.session.commit()
        return None
    mail.lease_token, mail.tries = claims.take(Mail, mail.id, by, died), mail.tries + 1
    mail.lease_until = now + LEASE + claims.longer(died)
    message = _drawn(mail, server, picture)
    claim = Claim(mail.id, mail.kind, mail.to_address, mail.lease_token, mail.tries, message)
    db.session.commit()
    return claim


def _put_away(mail: Mail, server: Server | None) -> None:
    if server is None:
        mail.state, mail.answer = MailState.KEPT, NO_SERVER
    else:
        mail.state, mail.answer = MailState.EXPIRED, RAN_OUT
        outbox.erase_link(mail.id)
    after_commit.say(f"mail.{mail.state}", mail_id=mail.id, kind=mail.kind)


def _give_up(mail: Mail) -> None:
    """What three processes died over goes out by a person's wish only."""
    mail.state, mail.answer = MailState.GIVEN_UP, KILLED
    mail.lease_token = mail.lease_until = None
    after_commit.say("mail.given_up", mail_id=mail.id, kind=mail.kind)


def _drawn(mail: Mail, server: Server, picture: bytes | None) -> EmailMessage | None:
    try:
        drawn = drawing.draw(mail, outbox.link_of(mail), picture)
        return smtp.message(server, mail.to_address, mail.message_id, drawn)
    except Exception:  # one mail that cannot be drawn holds up no other
        log.exception("mail.not_drawn", mail_id=mail.id, kind=mail.kind)
        return None


def _settle(claim: Claim, answer: Answer) -> None:
    """What became of the try. Acceptance counts whoever holds the lease by now; all else only if it is still ours."""
    state = _state(claim, answer)
    mine = Mail.lease_token == claim.token if state != MailState.SENT else Mail.state != MailState.SENT
    values: dict[str, Any] = {
        "state": state,
        "answer": answer.words,
        "lease_token": None,
        "lease_until": None,
    }
    if state == MailState.SENT:
        values["sent_at"] = func.clock_timestamp()
        outbox.erase_link(claim.mail_id)
    if state == MailState.WAITING:
        values["due_at"] = func.clock_timestamp() + pause(claim.tries)
    db.session.execute(update(Mail).where(Mail.id == claim.mail_id, mine).values(values))
    db.session.commit()
    claims.answered(claim.token)
    _tell("mail.waits" if state == MailState.WAITING else f"mail.{state}", claim, answer)


def _tell(event: str, claim: Claim, answer: Answer) -> None:
    """One line; the server's words may hold the address, so its number goes in alone."""
    code = answer.words[:3] if answer.words[:3].isdigit() else None
    log.info(event, mail_id=claim.mail_id, kind=claim.kind, tries=claim.tries, code=code)


def _state(claim: Claim, answer: Answer) -> MailState:
    if answer.outcome == Outcome.LATER:
        return MailState.WAITING if claim.tries <= len(PAUSES) else MailState.GIVEN_UP
    return MailState.SENT if answer.outcome == Outcome.SENT else MailState.REFUSED


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries, spread a little so that an outage does not end in one burst."""
    return PAUSES[min(tries, len(PAUSES)) - 1] * random.uniform(1.0, 1.2)  # noqa: S311
