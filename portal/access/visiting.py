"""A request of a support visit: which visit it is, who acts as whom, and what may be done."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from werkzeug.exceptions import Forbidden, NotFound

from portal import clock
from portal.access.actor import Actor, Source
from portal.access.permissions import Permission, of_support
from portal.access.tenancy import system_scope, tenant_scope
from portal.extensions import db
from portal.models import (
    LoginSession,
    Membership,
    SupportAccess,
    SupportRequest,
    SupportVisit,
    Tenant,
    VisitMode,
)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class NotInside(NotFound):
    """A staff person asked for a partner's page without a visit; `visit` is their last one there, if any."""

    def __init__(self, tenant: Tenant, visit: SupportVisit | None) -> None:
        super().__init__()
        self.tenant_name, self.slug = tenant.name, tenant.slug
        self.visit, self.zone = visit, tenant.time_zone


def open_visits(of: ColumnElement[bool]) -> Sequence[SupportVisit]:
    with system_scope():
        query = select(SupportVisit).where(
            of, SupportVisit.ended_at.is_(None), SupportVisit.expires_at > clock.now()
        )
        return db.session.scalars(query).all()


def running(login: LoginSession) -> SupportVisit | None:
    """The visit of this browser that has neither ended nor run out."""
    return next(iter(open_visits(SupportVisit.login_session_id == login.id)), None)


def last(login: LoginSession, tenant: Tenant) -> SupportVisit | None:
    """The latest visit of this browser to a partner, which may have ended."""
    with tenant_scope(tenant.id):
        return db.session.scalar(
            select(SupportVisit)
            .where(SupportVisit.tenant_id == tenant.id, SupportVisit.login_session_id == login.id)
            .order_by(SupportVisit.id.desc())
            .limit(1)
        )


def agreed(partner: Tenant) -> bool:
    """Whether an owner agreed that support works in the partner's name, and the time for it is not over."""
    until = partner.support_act_until
    return partner.support_access != SupportAccess.OFF and until is not None and until > clock.now()


def rights(visit: SupportVisit, partner: Tenant) -> set[Permission]:
    """What this request of the visit may do; nothing once the person no longer belongs to the partner. In its scope."""
    role = db.session.scalar(
        select(Membership.role).where(
            Membership.tenant_id == partner.id, Membership.user_id == visit.as_user_id
        )
    )
    acts = visit.acts and agreed(partner) and partner.disabled_at is None
    return of_support(VisitMode.ACT if acts else VisitMode.VIEW, role) if role else set()


def refuse_change(permissions: set[Permission], method: str) -> None:
    """Raises Forbidden where only looking is allowed and the request would do more."""
    if method not in SAFE_METHODS and permissions <= {Permission.VIEW}:
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
