"""Support visits: staff inside a partner, as one of its users, with a reason and a time limit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import Forbidden

from portal import clock
from portal.access import audit, lifetimes, staff_log
from portal.access.actor import Actor, Source
from portal.access.tenancy import tenant_scope
from portal.access.visiting import actor_of, agreed, open_visits
from portal.extensions import db, rows_written
from portal.models import (
    LoginSession,
    Membership,
    Role,
    SupportAccess,
    SupportVisit,
    Tenant,
    User,
)

LONGEST = timedelta(minutes=60)
SHORTEST_REASON = 10
ONE_AT_A_TIME = "ex_support_visit_one_at_a_time"


class CannotVisit(ValueError):
    """The visit is refused; the message says why."""


@dataclass(frozen=True)
class Wish:
    """What a support person asks for: `as_user_id` None is the partner's longest-standing owner."""

    reason: str
    ticket: str = ""
    minutes: int = 60
    acts: bool = False
    as_user_id: int | None = None


def begin(login: LoginSession, tenant: Tenant, wish: Wish, request_id: str = "") -> SupportVisit:
    """Starts a visit and writes it to the partner's own log. Raises CannotVisit. The caller commits.

    Whoever begins, ends or allows visits locks in one order: the visit, the partner's log, the log of staff.
    """
    if not login.user.is_staff:
        raise Forbidden
    _refuse(tenant, wish)
    _refuse_second(login)
    with tenant_scope(tenant.id), _one_at_a_time():
        visit = _new_visit(login, tenant, wish)
        audit.record(
            actor_of(visit, request_id),
            "support_visit.started",
            "support_visit",
            visit.id,
            reason=visit.reason,
            ticket=visit.ticket,
            mode=visit.mode,
            expires_at=visit.expires_at,
        )
        told = {"reason": visit.reason, "ticket": visit.ticket, "mode": visit.mode}
        by = Actor.of(visit.staff_user_id, request_id)
        staff_log.record(by, "visit.started", partner_id=visit.tenant_id, **told)
    return visit


def _refuse(tenant: Tenant, wish: Wish) -> None:
    if tenant.support_access == SupportAccess.OFF:
        raise CannotVisit(f"{tenant.name} lets no support in. An owner can change that under Settings.")
    if len(wish.reason.strip()) < SHORTEST_REASON:
        raise CannotVisit(f"Say why in at least {SHORTEST_REASON} characters.")
    if wish.acts and tenant.disabled_at is not None:
        raise CannotVisit(f"{tenant.name} is disabled, so nobody works there. You can look.")
    if wish.acts and not agreed(tenant):
        raise CannotVisit(
            f"{tenant.name} has not agreed that support works in its name, or the time for it is over. "
            "An owner can agree under Settings, Support. You can look."
        )


def _new_visit(login: LoginSession, tenant: Tenant, wish: Wish) -> SupportVisit:
    started_at = clock.now()
    until = started_at + min(timedelta(minutes=wish.minutes), LONGEST)
    agreed_until = tenant.support_act_until if wish.acts else None
    visit = SupportVisit(
        tenant_id=tenant.id,
        staff_user_id=login.user_id,
        as_user_id=_user_to_act_as(tenant, wish.as_user_id).id,
        login_session_id=login.id,
        reason=wish.reason.strip(),
        ticket=wish.ticket.strip(),
        acts=wish.acts,
        started_at=started_at,
        expires_at=min(until, agreed_until) if agreed_until else until,
    )
    db.session.add(visit)
    db.session.flush()
    return visit


def people_of(tenant: Tenant) -> Sequence[tuple[User, str]]:
    """Whom support can act as, with their role; the longest-standing owner first."""
    with tenant_scope(tenant.id):
        rows = db.session.execute(
            select(User, Membership.role)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.tenant_id == tenant.id, User.disabled_at.is_(None), User.is_staff.is_(False))
            .order_by(Membership.role != Role.OWNER, Membership.id)
        )
        return [(user, role) for user, role in rows]


def _refuse_second(login: LoginSession) -> None:
    """A visit that was left behind in a browser that is signed out by now ends; another one is in the way.

    Commits where one was left behind: the log of staff is written last, never before a second partner's log.
    """
    for visit in open_visits(SupportVisit.staff_user_id == login.user_id):
        if visit.login_session_id == login.id:
            raise CannotVisit("You are already inside a partner. Stop that visit first.")
        if lifetimes.lives(db.session.get_one(LoginSession, visit.login_session_id)):
            raise CannotVisit(
                "You are inside a partner in another browser. Stop that visit, or log out there."
            )
        stop(visit, login.user_id)
        db.session.commit()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two browsers that step in at the same moment are told apart by the database."""
    try:
        with db.session.begin_nested():
            yield
    except IntegrityError as error:
        if ONE_AT_A_TIME not in str(error.orig):
            raise
        raise CannotVisit("You are inside a partner in another browser. Stop that visit first.") from error


def end_with(login: LoginSession, request_id: str = "") -> None:
    """Ends the visit of a browser that is being signed out. Safe to call twice. The caller commits."""
    if login.user.is_staff:
        for visit in open_visits(SupportVisit.login_session_id == login.id):
            stop(visit, login.user_id, request_id)


def stop(visit: SupportVisit, by_user_id: int | None, request_id: str = "") -> None:
    """Ends a visit, from either side. Safe to call twice. The caller commits."""
    with tenant_scope(visit.tenant_id):
        ended = rows_written(
            update(SupportVisit)
            .where(
                SupportVisit.tenant_id == visit.tenant_id,
                SupportVisit.id == visit.id,
                SupportVisit.ended_at.is_(None),
            )
            .values(ended_at=clock.now(), ended_by_id=by_user_id)
        )
        if ended:
            by = actor_of(visit, request_id)
            if by_user_id != visit.staff_user_id:
                by = Actor(Source.WEB, by_user_id, by_user_id, visit.id, request_id)
            audit.record(by, "support_visit.stopped", "support_visit", visit.id)
            ended_by = "staff" if by_user_id == visit.staff_user_id else "the partner"
            of = Actor.of(visit.staff_user_id, request_id)
            staff_log.record(of, "visit.stopped", partner_id=visit.tenant_id, ended_by=ended_by)


def _user_to_act_as(tenant: Tenant, user_id: int | None) -> User:
    """One of the partner's people, never staff; unless one is named, its longest-standing owner."""
    people = people_of(tenant)
    if user_id is None and not any(role == Role.OWNER for _, role in people):
        raise CannotVisit("This partner has no owner yet, so there is nobody to act as.")
    found = (
        people[0][0] if user_id is None else next((user for user, _ in people if user.id == user_id), None)
    )
    if found is None:
        raise CannotVisit("This person no longer belongs to the partner. Choose another one.")
    return found
