"""Whoever lets others in has to belong here still, until what they do is done."""

from sqlalchemy import select
from werkzeug.exceptions import Forbidden

from portal.access.actor import Actor
from portal.access.permissions import ROLE_PERMISSIONS, Permission
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Membership, User


def hold(actor: Actor, permission: Permission) -> None:
    """Keeps the person's place until the transaction ends: a removal or another role comes before this, or after it.

    Raises Forbidden for whoever was removed, or lost the permission, a moment ago. An operator and staff, who invite the
    first owner of a partner, have no place to lose.
    """
    if actor.user_id is None:
        return
    mine = Membership.tenant_id == current_tenant_id(), Membership.user_id == actor.user_id
    role = db.session.scalar(select(Membership.role).where(*mine).with_for_update(read=True))
    if role is None:
        person = db.session.get(User, actor.user_id)  # nobody here, once removed
        if person is not None and person.is_staff:
            return
    if role is None or permission not in ROLE_PERMISSIONS[role]:
        raise Forbidden
