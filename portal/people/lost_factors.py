"""All second factors lost: the person asks after the password, others make sure that it is them, and after a wait
the factors go.

An owner of each partner that the person belongs to agrees, or two staff people; nobody for themselves. The person
gets a mail at the start and at the agreement, each with a link that stops it, and one when it is done.
"""

from datetime import timedelta

from flask import request
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import NotFound

from portal import clock
from portal.access import belonging, factor_resets, factors, security_events, sessions, staff_log
from portal.access.actor import Actor, Source
from portal.access.permissions import Permission
from portal.access.tenancy import (
    current_tenant_id,
    find_or_404,
    people_scope,
    tenant_in_scope,
)
from portal.extensions import db
from portal.mail import outbox
from portal.models import (
    FactorReset,
    FactorResetAgreement,
    LoginSession,
    MailKind,
    Membership,
    ResetOutcome,
    User,
)
from portal.people import links

WAIT, ANSWERED_WITHIN = timedelta(hours=24), timedelta(days=7)
MOST_IN_A_DAY = 3
OVER = "This request is over: it was stopped, answered, or nobody agreed in time."


class CannotAsk(ValueError):
    """Nothing is asked for; the message says why."""


class CannotAgree(ValueError):
    """Nothing is agreed to; the message says why."""


def ask(login: LoginSession) -> FactorReset:
    """A login that proved the password asks; who asked already gets the same request. Raises CannotAsk. The caller commits."""
    user = factors.locked(login.user_id)
    if (before := factor_resets.open_one(user.id)) is not None:
        return before
    today = FactorReset.user_id == user.id, FactorReset.asked_at > clock.now() - timedelta(days=1)
    with people_scope():
        if (db.session.scalar(select(func.count()).where(*today)) or 0) >= MOST_IN_A_DAY:
            raise CannotAsk(
                "This was asked for and stopped several times today. Ask an owner, or try tomorrow."
            )
        token, hash_ = links.new_token()
        row = FactorReset(user_id=user.id, asked_hash=hash_)
        row.address, row.user_agent = request.remote_addr or "", request.user_agent.string[:300]
        db.session.add(row)
        db.session.flush()
        _mail(MailKind.FACTORS_LOST, row, user, token)
    security_events.note(user, security_events.FACTORS_LOST)
    security_events.log(user, security_events.FACTORS_LOST, Actor(Source.WEB, user.id, user.id), {})
    security_events.ask_owners(user, row)
    return row


def agree_as_owner(actor: Actor, member_id: int, reset_id: int, how: str) -> FactorReset:
    """An owner made sure that it is the person. In the partner's scope; raises CannotAgree. The caller commits."""
    belonging.hold(actor, Permission.USERS)
    member = find_or_404(Membership, member_id)
    row = _held(reset_id, member.user_id)
    _agree(actor, row, current_tenant_id(), how)
    return row


def agree_as_staff(actor: Actor, reset_id: int, how: str) -> FactorReset:
    """One of two staff people made sure that it is the person. Raises CannotAgree. The caller commits."""
    row = _held(reset_id)
    if _agree(actor, row, None, how):
        staff_log.record(actor, "factors_reset.agreed", email=row.user.email, how=how)
    return row


def stop_as_owner(actor: Actor, member_id: int, reset_id: int) -> None:
    """It is not the person, or they found their phone. Raises CannotAgree. The caller commits."""
    member = find_or_404(Membership, member_id)
    _stop(actor, _held(reset_id, member.user_id))


def stop_as_staff(actor: Actor, reset_id: int) -> None:
    """As an owner does. Raises CannotAgree. The caller commits."""
    row = _held(reset_id)
    _stop(actor, row)
    staff_log.record(actor, "factors_reset.stopped", email=row.user.email)


def of_link(token: str, *, lock: bool = False) -> FactorReset:
    """The open request whose mail carries this link. Raises DeadLink."""
    hash_ = links.digest(token)
    mine = (FactorReset.asked_hash == hash_) | (FactorReset.agreed_hash == hash_)
    query = select(FactorReset).where(mine, FactorReset.ended_at.is_(None))
    with people_scope():
        row = db.session.scalar(query.with_for_update(of=FactorReset) if lock else query)
    if row is None:
        raise links.DeadLink
    return row


def withdraw(token: str) -> User:
    """The person did not ask: somebody else knows the password, and is out everywhere. Raises DeadLink. The caller commits."""
    row = of_link(token, lock=True)
    user = factors.locked(row.user_id)
    factor_resets.end_open(user.id, ResetOutcome.WITHDRAWN)
    with people_scope():
        sessions.end_all(user.id)
        links.end_all(user.id)
    _kept(user, Actor(Source.WEB, user.id, user.id), "the link in the mail")
    return user


def due() -> list[int]:
    """Requests whose wait is over, or can begin by now, or that nobody answered. Ends its transaction."""
    waits, agreed = FactorReset.due_at.is_(None), FactorResetAgreement.reset_id == FactorReset.id
    now = clock.now()
    over = (FactorReset.due_at <= now) | (waits & (FactorReset.asked_at <= now - ANSWERED_WITHIN))
    query = select(FactorReset).where(FactorReset.ended_at.is_(None))
    with people_scope():
        found = set(db.session.scalars(query.where(over).with_only_columns(FactorReset.id)))
        said = select(FactorResetAgreement.id).where(agreed).exists()
        rows = db.session.scalars(query.where(waits, said).options(joinedload(FactorReset.user))).all()
    if rows:
        found |= {number for number, one in factor_resets.standings(rows).items() if one.is_enough} & {
            row.id for row in rows if row.user.disabled_at is None
        }
    db.session.commit()
    return sorted(found)


def settle(reset_id: int) -> str | None:
    """Takes the factors away where those who agreed still may; the outcome, None while it goes on. Commits.

    The wait begins here where the last one who had to agree has to no longer.
    """
    held = select(FactorReset).where(FactorReset.id == reset_id, FactorReset.ended_at.is_(None))
    with people_scope():
        held = held.with_for_update(of=FactorReset, skip_locked=True)
        row = db.session.scalar(held.execution_options(populate_existing=True))
    if row is None:
        db.session.rollback()
        return None
    user, actor, standing = factors.locked(row.user_id), Actor.system(), factor_resets.standing(row)
    may = user.disabled_at is None and standing.is_enough
    outcome = None
    if row.due_at is None and may:
        _begin_the_wait(row, user, actor, "the portal")
    elif (row.due_at or row.asked_at + ANSWERED_WITHIN) <= clock.now():
        outcome = _end(row, user, standing, may)
    db.session.commit()
    return outcome


def _end(row: FactorReset, user: User, standing: factor_resets.Standing, may: bool) -> ResetOutcome:
    outcome = ResetOutcome.DONE if may else ResetOutcome.STOPPED if row.due_at else ResetOutcome.RUN_OUT
    factor_resets.end_open(user.id, outcome)
    if outcome == ResetOutcome.DONE:
        reason = "they were lost, and others made sure that it is the person"
        factors.take_all(user, Actor.system(), reason=reason)
    else:
        _kept(user, Actor.system(), f"the portal, because {_why(row, user, standing)}")
    return outcome


def _why(row: FactorReset, user: User, standing: factor_resets.Standing) -> str:
    """Why the factors stay at the end of a wait."""
    if user.disabled_at is not None:
        return "the login is disabled"
    if row.due_at is not None:
        return "not everybody who has to agree does so any more"
    return (
        "not everybody who has to agree did so within a week"
        if standing.agreed
        else "nobody agreed within a week"
    )


def settle_due() -> None:
    """Safe to run twice and at the same time."""
    for reset_id in due():
        settle(reset_id)


def _held(reset_id: int, of_user: int | None = None) -> FactorReset:
    """The request, for this transaction alone. Raises NotFound for another person's, CannotAgree once it is over."""
    query = select(FactorReset).where(FactorReset.id == reset_id).with_for_update(of=FactorReset)
    with people_scope():
        known = 0 < reset_id < 2**63
        row = db.session.scalar(query.execution_options(populate_existing=True)) if known else None
    if row is None or of_user not in (None, row.user_id):
        raise NotFound
    if row.ended_at is not None:
        raise CannotAgree(OVER)
    return row


def _agree(actor: Actor, row: FactorReset, partner_id: int | None, how: str) -> bool:
    """False where they had agreed before."""
    by, user = actor.true_user_id, row.user
    if by is None or by == user.id:
        raise CannotAgree("Nobody can agree to their own request. Somebody else has to.")
    mine = (
        FactorResetAgreement.by_user_id == by,
        FactorResetAgreement.partner_id.is_not_distinct_from(partner_id),
    )
    with people_scope():
        if db.session.scalar(
            select(FactorResetAgreement.id).where(FactorResetAgreement.reset_id == row.id, *mine)
        ):
            return False
        db.session.add(FactorResetAgreement(reset_id=row.id, by_user_id=by, partner_id=partner_id, how=how))
        db.session.flush()
    by_name = security_events.who(actor)
    security_events.note(user, security_events.FACTORS_AGREED, by=by_name)
    told = {"by": by_name, "how": "as support does" if partner_id is None else how}
    security_events.log(user, security_events.FACTORS_AGREED, actor, told, partner_id)
    if row.due_at is None and factor_resets.standing(row).is_enough:
        _begin_the_wait(row, user, actor, by_name, partner_id)
    return True


def _begin_the_wait(
    row: FactorReset, user: User, actor: Actor, by: str, partner_id: int | None = None
) -> None:
    """Everybody who has to agree does: in a day the factors go, and the person gets a mail that stops it."""
    token, hash_ = links.new_token()
    with people_scope():
        row.agreed_hash, row.due_at = hash_, clock.now() + WAIT
        db.session.flush()
        _mail(MailKind.FACTORS_TO_GO, row, user, token)
    security_events.note(user, security_events.FACTORS_TO_GO, by=by)
    security_events.log(user, security_events.FACTORS_TO_GO, actor, {}, partner_id)


def _stop(actor: Actor, row: FactorReset) -> None:
    factor_resets.end_open(row.user_id, ResetOutcome.STOPPED)
    _kept(row.user, actor, security_events.who(actor), tenant_in_scope())


def _kept(user: User, actor: Actor, by: str, partner_id: int | None = None) -> None:
    security_events.tell(user, security_events.FACTORS_KEPT, by=by)
    security_events.log(user, security_events.FACTORS_KEPT, actor, {"by": by}, partner_id)


def _mail(kind: MailKind, row: FactorReset, user: User, token: str) -> None:
    until = row.due_at or clock.now() + ANSWERED_WITHIN
    seen = {name: value for name, value in security_events.seen(row).items() if kind == MailKind.FACTORS_LOST}
    outbox.write(
        kind,
        to=user.email,
        user_id=user.id,
        link=links.path("factors", token),
        expires_at=until,
        until=until,
        **seen,
    )
