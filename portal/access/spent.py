"""What proved something once never does so again: the time step of a code, the challenge of a passkey."""

import hashlib

from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import SpentProof


def spend(*what: object) -> bool:
    """Whether this is the first time. Of two at once one gets True. The caller commits."""
    once = insert(SpentProof).values(mark=_mark(what)).on_conflict_do_nothing().returning(SpentProof.mark)
    with people_scope():
        return db.session.scalar(once) is not None


def is_spent(*what: object) -> bool:
    """Whether it was spent before, to be told so in words; only `spend` decides."""
    with people_scope():
        return db.session.get(SpentProof, _mark(what)) is not None


def _mark(what: tuple[object, ...]) -> bytes:
    return hashlib.sha256("\0".join(map(str, what)).encode()).digest()
