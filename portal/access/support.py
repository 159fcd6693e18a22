"""Support visits: staff inside a partner, as one of its users, with a reason and a time limit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import Forbidden, NotFound

from portal import clock
from portal.access import audit, lifetimes
from portal.access.actor import Actor, Source
from portal.access.permissions import Permission
from portal.access.tenancy import system_scope, tenant_scope
from portal.extensions import db, rows_written
from portal.models import (
    LoginSession,
    Membership,
    Role,
    SupportAccess,
    SupportRequest,
    SupportVisit,
    Tenant,
    User,
)

# A visit in view mode reads pages; it never exports and never changes anything (rule 7.2).
MAY = {Permission.VIEW}
LONGEST = timedelta(minutes=60)
SHORTEST_REASON = 10
ONE_AT_A_TIME = "ex_support_visit_one_at_a_time"


class CannotVisit(ValueError):
    """The visit is refused; the message says why."""


class NotInside(NotFound):
    """A staff person asked for a partner's page without a visit; `visit` is their last one there, if any."""

    def __init__(self, tenant: Tenant, visit: SupportVisit | None) -> None:
        super().__init__()
        self.tenant_name, self.visit, self.zone = tenant.name, visit, tenant.time_zone


def begin(
    login: LoginSession,
    tenant: Tenant,
    reason: str,
    ticket: str = "",
    minutes: int = 60,
    request_id: str = "",
) -> SupportVisit:
    """Starts a view-only visit and writes it to the partner's own log. The caller commits."""
    if not login.user.is_staff:
        raise Forbidden
    if tenant.support_access == SupportAccess.OFF:
        raise CannotVisit(f"{tenant.name} lets no support in. An owner can change that under Settings.")
    if len(reason.strip()) < SHORTEST_REASON:
        raise CannotVisit(f"Say why in at least {SHORTEST_REASON} characters.")
    _refuse_second(login)
    with tenant_scope(tenant.id), _one_at_a_time():
        visit = _new_visit(
            login, tenant, reason.strip(), ticket.strip(), min(timedelta(minutes=minutes), LONGEST)
        )
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
    return visit


def _new_visit(
    login: LoginSession, tenant: Tenant, reason: str, ticket: str, time: timedelta
) -> SupportVisit:
    started_at = clock.now()
    visit = SupportVisit(
        tenant_id=tenant.id,
        staff_user_id=login.user_id,
        as_user_id=_user_to_act_as(tenant).id,
        login_session_id=login.id,
        reason=reason,
        ticket=ticket,
        started_at=started_at,
        expires_at=started_at + time,
    )
    db.session.add(visit)
    db.session.flush()
    return visit


def _refuse_second(login: LoginSession) -> None:
    """A visit that was left behind in a browser that is signed out by now ends; another one is in the way."""
    for visit in _open_visits(SupportVisit.staff_user_id == login.user_id):
        if visit.login_session_id == login.id:
            raise CannotVisit("You are already inside a partner. Stop that visit first.")
        if lifetimes.lives(db.session.get_one(LoginSession, visit.login_session_id)):
            raise CannotVisit(
                "You are inside a partner in another browser. Stop that visit, or log out there."
            )
        stop(visit, login.user_id)


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
        for visit in _open_visits(SupportVisit.login_session_id == login.id):
            stop(visit, login.user_id, request_id)


def _open_visits(of: ColumnElement[bool]) -> Sequence[SupportVisit]:
    with system_scope():
        query = select(SupportVisit).where(
            of, SupportVisit.ended_at.is_(None), SupportVisit.expires_at > clock.now()
        )
        return db.session.scalars(query).all()


def running(login: LoginSession) -> SupportVisit | None:
    """The visit of this browser that has neither ended nor run out."""
    return next(iter(_open_visits(SupportVisit.login_session_id == login.id)), None)


def last(login: LoginSession, tenant: Tenant) -> SupportVisit | None:
    """The latest visit of this browser to a partner, which may have ended."""
    with tenant_scope(tenant.id):
        return db.session.scalar(
            select(SupportVisit)
            .where(SupportVisit.tenant_id == tenant.id, SupportVisit.login_session_id == login.id)
            .order_by(SupportVisit.id.desc())
            .limit(1)
        )


def stop(visit: SupportVisit, by_user_id: int, request_id: str = "") -> None:
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
            audit.record(actor_of(visit, request_id), "support_visit.stopped", "support_visit", visit.id)


def refuse_change() -> NoReturn:
    raise Forbidden("Support can look here but not change anything.")


def log_request(visit: SupportVisit, method: str, path: str, request_id: str) -> None:
    """Writes one request of a visit, before it runs. The caller commits."""
    db.session.add(
        SupportRequest(
            tenant_id=visit.tenant_id,
            visit_id=visit.id,
            method=method,
            path=path[:2000],
            request_id=request_id,
        )
    )


def actor_of(visit: SupportVisit, request_id: str = "") -> Actor:
    """Both people of a visit."""
    return Actor(
        source=Source.WEB,
        user_id=visit.as_user_id,
        true_user_id=visit.staff_user_id,
        visit_id=visit.id,
        request_id=request_id,
    )


def _user_to_act_as(tenant: Tenant) -> User:
    """The partner's longest-standing owner: what support sees is what the owner sees, read-only."""
    user = db.session.scalar(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == tenant.id, Membership.role == Role.OWNER, User.is_staff.is_(False))
        .order_by(Membership.id)
        .limit(1)
    )
    if user is None:
        raise CannotVisit("This partner has no owner yet, so there is nobody to act as.")
    return user
