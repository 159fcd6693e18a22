"""People as those see them who look after them: who, in which role, when last here. A page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import joinedload

from portal.access.permissions import ROLE_PERMISSIONS, WORDS, of_support
from portal.access.tenancy import people_scope, scoped, system_scope
from portal.extensions import db
from portal.models import LoginSession, Membership, Role, Tenant, User, VisitMode
from portal.queries.paging import Key, Page, fetch

ROLES = (Role.OWNER, Role.MANAGER, Role.CLERK, Role.READER)
PLACE = case({role.value: place for place, role in enumerate(ROLES)}, value=Membership.role).label("place")
OUT = case((User.disabled_at.is_(None), 0), else_=1).label("out")
LAST_SEEN = (
    select(func.max(LoginSession.last_used_at))
    .where(LoginSession.user_id == User.id)
    .scalar_subquery()
    .label("last_seen")
)


@dataclass(frozen=True)
class Person:
    member: Membership
    last_seen_at: datetime | None


def page(args: Mapping[str, str]) -> Page:
    """Those who belong to the partner, owners first, then in the order they joined."""
    query = scoped(Membership).add_columns(PLACE).options(joinedload(Membership.user))
    found = fetch(query, (Key(PLACE), Key(Membership.id)), args, ascending=True)
    members = [row[0] for row in found.rows]
    seen = _last_seen([member.user_id for member in members])
    return Page([Person(member, seen.get(member.user_id)) for member in members], found.newer, found.older)


def how_many() -> int:
    """How many belong to the partner."""
    return db.session.scalar(scoped(Membership).with_only_columns(func.count())) or 0


def staff(args: Mapping[str, str]) -> Page:
    """All staff with when they were last here, those who are let in first."""
    query = select(User, LAST_SEEN, OUT).where(User.is_staff)
    with people_scope():
        return fetch(query, (Key(OUT), Key(User.id)), args, ascending=True)


def how_many_staff() -> int:
    with people_scope():
        return db.session.scalar(select(func.count()).select_from(User).where(User.is_staff)) or 0


def partners_of(user_id: int, args: Mapping[str, str]) -> Page:
    """The partners that a person belongs to, by name."""
    mine = select(Tenant).join(Membership, Membership.tenant_id == Tenant.id)
    with system_scope():
        return fetch(
            mine.where(Membership.user_id == user_id),
            (Key(Tenant.name, str), Key(Tenant.id)),
            args,
            ascending=True,
        )


def _last_seen(ids: Sequence[int]) -> dict[int, datetime]:
    last = select(LoginSession.user_id, func.max(LoginSession.last_used_at))
    found = db.session.execute(last.where(LoginSession.user_id.in_(ids)).group_by(LoginSession.user_id))
    return {row[0]: row[1] for row in found}


def roles_table() -> list[tuple[str, list[bool]]]:
    """What may be done, in words, and which of ROLES and support, looking and acting, may do it: rule 7.1 as the code holds it."""
    holders = [
        *(ROLE_PERMISSIONS[role] for role in ROLES),
        *(of_support(mode, Role.OWNER) for mode in VisitMode),
    ]
    return [(words, [permission in held for held in holders]) for permission, words in WORDS.items()]
