"""A partner's people as its owners see them: who, in which role, when last here; and who is invited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from portal.access.permissions import ROLE_PERMISSIONS, WORDS, of_support
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import LoginSession, Membership, Role, VisitMode

ROLES = (Role.OWNER, Role.MANAGER, Role.CLERK, Role.READER)


@dataclass(frozen=True)
class Person:
    member: Membership
    last_seen_at: datetime | None


def all_people() -> Sequence[Person]:
    """Everybody who belongs to the partner, owners first, then in the order they joined."""
    members = db.session.scalars(scoped(Membership).options(joinedload(Membership.user))).all()
    ids = [member.user_id for member in members]
    last = (
        select(LoginSession.user_id, func.max(LoginSession.last_used_at))
        .where(LoginSession.user_id.in_(ids))
        .group_by(LoginSession.user_id)
    )
    seen = {row[0]: row[1] for row in db.session.execute(last)}
    order = {role: place for place, role in enumerate(ROLES)}
    members = sorted(members, key=lambda member: (order[Role(member.role)], member.id))
    return [Person(member, seen.get(member.user_id)) for member in members]


def roles_table() -> list[tuple[str, list[bool]]]:
    """What may be done, in words, and which of ROLES and support, looking and acting, may do it: rule 7.1 as the code holds it."""
    holders = [
        *(ROLE_PERMISSIONS[role] for role in ROLES),
        *(of_support(mode, Role.OWNER) for mode in VisitMode),
    ]
    return [(words, [permission in held for held in holders]) for permission, words in WORDS.items()]
