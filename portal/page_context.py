"""What every page's frame shows: partner, person, support visit, counts."""

from typing import Any

from flask import Flask, g, has_request_context
from flask_login import current_user as signed_in
from sqlalchemy import func, select

from portal.access.permissions import Permission, may
from portal.access.tenancy import current_tenant_id, system_scope
from portal.connect import refused
from portal.extensions import db
from portal.models import ExceptionItem, ExceptionState, Membership, SupportVisit, Tenant


def register(app: Flask) -> None:
    """Gives templates the names that the layouts use."""
    app.context_processor(frame)
    app.jinja_env.globals.update(may=may, Permission=Permission)


def frame() -> dict[str, Any]:
    if not has_request_context() or not signed_in or not signed_in.is_authenticated:
        return {"current_user": None, "current_partner": None, "support_visit": None, "nav_counts": {}}
    partner = g.get("partner")
    return {
        "current_user": g.true_user,
        "current_actor": None,
        "current_partner": partner,
        "support_visit": _bar(g.support_visit) if partner is not None and g.support_visit else None,
        "my_partners": [] if g.true_user.is_staff else partners_of(g.true_user.id),
        "nav_counts": {"exceptions": _open_exceptions()} if partner is not None else {},
        "notices": [],
        "refused_login": refused.standing() if partner is not None else None,
    }


def partners_of(user_id: int) -> list[Tenant]:
    """The partners a user belongs to, by name."""
    with system_scope():
        return list(
            db.session.scalars(
                select(Tenant)
                .join(Membership, Membership.tenant_id == Tenant.id)
                .where(Membership.user_id == user_id)
                .order_by(Tenant.name)
            )
        )


def _open_exceptions() -> int:
    return (
        db.session.scalar(
            select(func.count())
            .select_from(ExceptionItem)
            .where(ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == ExceptionState.OPEN)
        )
        or 0
    )


def _bar(visit: SupportVisit) -> dict[str, Any]:
    return {
        "staff_name": visit.staff.label,
        "user_name": visit.as_user.label,
        "reason": visit.reason,
        "mode": visit.mode,
        "expires_at": visit.expires_at,
    }
