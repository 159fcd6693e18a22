"""A partner's people."""

from collections.abc import Mapping

from sqlalchemy import case
from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.models import ApiKey, Membership
from portal.queries import cut, paging, people

MEMBERS_SHOWN = 20
ALIVE = case((ApiKey.revoked_at.is_(None), 1), else_=0).label("alive")


def members() -> cut.Some:
    """The first of those who belong to the partner, with their user, owners first."""
    everybody = scoped(Membership).options(joinedload(Membership.user))
    return cut.first(everybody.order_by(people.PLACE, Membership.id), MEMBERS_SHOWN)


def keys(args: Mapping[str, str]) -> paging.Page:
    """One page of API keys, those that open something on top, newest first."""
    found = paging.fetch(scoped(ApiKey).add_columns(ALIVE), (paging.Key(ALIVE), paging.Key(ApiKey.id)), args)
    return paging.Page([row[0] for row in found.rows], found.newer, found.older)
