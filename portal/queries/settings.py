"""A partner's people."""

from collections.abc import Sequence

from sqlalchemy.orm import joinedload

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Membership


def members() -> Sequence[Membership]:
    """Everybody who belongs to the partner, with their user, in the order they joined."""
    return db.session.scalars(
        scoped(Membership).options(joinedload(Membership.user)).order_by(Membership.id)
    ).all()
