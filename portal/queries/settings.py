"""A partner's people."""

from collections.abc import Mapping, Sequence

from sqlalchemy import case
from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import ApiKey, Membership
from portal.queries import paging

ALIVE = case((ApiKey.revoked_at.is_(None), 1), else_=0).label("alive")


def members() -> Sequence[Membership]:
    """Everybody who belongs to the partner, with their user, in the order they joined."""
    return db.session.scalars(
        scoped(Membership).options(joinedload(Membership.user)).order_by(Membership.id)
    ).all()


def keys(args: Mapping[str, str]) -> paging.Page:
    """One page of API keys, those that open something on top, newest first."""
    found = paging.fetch(scoped(ApiKey).add_columns(ALIVE), (paging.Key(ALIVE), paging.Key(ApiKey.id)), args)
    return paging.Page([row[0] for row in found.rows], found.newer, found.older)
