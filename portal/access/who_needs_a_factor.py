"""After the password: who has to prove a second factor, or to set one up, before anything else opens."""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import or_, select

from portal import clock
from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.models import LoginSession, Membership, Role, Tenant, User

View = TypeVar("View", bound=Callable[..., Any])
# Between the two steps; then the password is asked for again.
LONGEST = timedelta(minutes=15)
WITH_FACTOR = (Role.OWNER, Role.MANAGER)


class Step(StrEnum):
    PROVE = "prove"
    SET_UP = "set_up"


def open_at(*steps: Step) -> Callable[[View], View]:
    """Opens a view to people who are half-way in, at these steps. Stands under the view's access mark."""

    def mark(view: View) -> View:
        view.open_at = set(steps)  # type: ignore[attr-defined]
        return view

    return mark


def wanted(login: LoginSession) -> Step | None:
    """What this login still lacks; None for one that is whole."""
    if login.factor_at is not None:
        return None
    if login.user.second_factor_at is not None:
        return Step.PROVE
    return Step.SET_UP if must_have(login.user) else None


def must_have(user: User) -> bool:
    """Whether this person has to have a second factor: staff, owners and managers, and all of partners that say so."""
    if current_app.config["DEMO_LOGINS"]:
        return False
    return user.is_staff or _a_partner_asks(user.id)


def asked_of(role: str, partner: Tenant) -> bool:
    """Whether whoever has this role at the partner has to have a second factor. The demo asks nobody."""
    return not current_app.config["DEMO_LOGINS"] and (role in WITH_FACTOR or partner.second_factor_for_all)


def too_old(login: LoginSession) -> bool:
    """Whether a login that is half-way in was left there."""
    return login.proved_at is None or clock.now() - login.proved_at > LONGEST


def _a_partner_asks(user_id: int) -> bool:
    asks = or_(Membership.role.in_(WITH_FACTOR), Tenant.second_factor_for_all)
    query = select(Membership.id).join(Tenant, Tenant.id == Membership.tenant_id)
    with system_scope():
        found = db.session.scalar(query.where(Membership.user_id == user_id, asks).limit(1))
    return found is not None
