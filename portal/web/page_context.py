"""What every page's frame shows: partner, person, support visit, counts."""

from datetime import datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, render_template, request
from sqlalchemy import inspect, select

from portal.access.permissions import Permission, may
from portal.access.tenancy import system_scope, tenant_scope
from portal.extensions import db
from portal.models import Membership, SupportVisit, Tenant
from portal.queries import activity, health, needs, refused_filters
from portal.web import htmx


def register(app: Flask) -> None:
    """Gives templates the names that the layouts use."""
    app.context_processor(frame)
    app.after_request(_beside_a_list)
    app.jinja_env.globals.update(may=may, Permission=Permission, left_out=left_out)


def left_out() -> list[str]:
    """What of this address the list does not know, in sentences."""
    return refused_filters.sentences(request.endpoint, request.args) if request.method == "GET" else []


def _beside_a_list(response: Response) -> Response:
    """A list that is narrowed on an open page takes along what is said above it."""
    of_list = request.endpoint in refused_filters.KNOWN and htmx.is_fragment() and request.method == "GET"
    if of_list and response.status_code == 200 and response.mimetype == "text/html":
        response.set_data(
            response.get_data(as_text=True) + render_template("layouts/_left_out.html", swapped=True)
        )
    return response


def frame() -> dict[str, Any]:
    if not has_request_context() or g.get("true_user") is None:
        return {"current_user": None, "current_partner": None, "support_visit": None, "nav_counts": {}}
    partner = g.get("partner")
    return {
        "current_user": g.true_user,
        "current_actor": None,
        "current_partner": partner,
        "support_visit": _bar(g.support_visit) if partner is not None and g.support_visit else None,
        "own_visit": _own_visit() if partner is None else None,
        "my_partners": my_partners(),
        "alarms": health.open_alarms() if g.true_user.is_staff and partner is None else [],
        **(_needs() if partner is not None else {"nav_counts": {}, "notices": [], "support_here": []}),
    }


def _own_visit() -> SupportVisit | None:
    """The visit of the person of this request, read again where a page that looks across partners let go of it."""
    if (visit := g.support_visit) is not None and inspect(visit).expired_attributes:
        with tenant_scope(inspect(visit).identity[0]):
            db.session.refresh(visit, ["reason", "expires_at", "as_user", "tenant"])
    return visit


def my_partners() -> list[Tenant]:
    """The partners of the person of this request, read once; none for support."""
    if "my_partners" not in g:
        g.my_partners = (
            [partner for partner, _ in g.who.memberships] if "who" in g else partners_of(g.true_user.id)
        )
    return list(g.my_partners)


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


def _needs() -> dict[str, Any]:
    found = needs.now()
    return {
        "needs": found,
        "support_here": activity.running_visits()
        if found.support_is_here and not g.true_user.is_staff
        else [],
        "nav_counts": {"exceptions": found.exceptions, "payments": found.deliveries},
        "notices": [
            {"text": one["words"], "url": one["path"], "at": datetime.fromisoformat(one["at"])}
            for one in found.notices
        ],
        "notices_new": next((int(one["of"]) for one in found.notices), 0),
    }


def _bar(visit: SupportVisit) -> dict[str, Any]:
    return {
        "staff_name": visit.staff.label,
        "user_name": visit.as_user.label,
        "reason": visit.reason,
        "acts": visit.acts,
        "expires_at": visit.expires_at,
    }
