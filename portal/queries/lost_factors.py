"""Requests of people who have lost all second factors: who agreed, who still has to, when the factors go."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import g
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from portal.access import factor_resets
from portal.access.tenancy import people_scope, tenant_in_scope
from portal.extensions import db
from portal.models import FactorReset, FactorResetAgreement, Membership, Tenant


@dataclass(frozen=True)
class Request:
    """`agreed` are those whose word counts today; `mine` is the one of who looks. `lacking` says who still has to."""

    row: FactorReset
    agreed: Sequence[FactorResetAgreement]
    partners: Sequence[str]
    lacking: str

    @property
    def mine(self) -> bool:
        return any(one.by_user_id == g.true_user.id for one in self.agreed)

    @property
    def is_own(self) -> bool:
        return bool(self.row.user_id == g.true_user.id)


def everybody() -> list[Request]:
    """All that are open, the longest-waiting first."""
    query = select(FactorReset).where(FactorReset.ended_at.is_(None)).order_by(FactorReset.id)
    with people_scope():
        rows = db.session.scalars(query).all()
    return [_told(row) for row in rows]


def one(reset_id: int) -> Request:
    """An open one. Raises NotFound."""
    with people_scope():
        row = db.session.get(FactorReset, reset_id) if 0 < reset_id < 2**63 else None
    if row is None or row.ended_at is not None:
        raise NotFound
    return _told(row)


def of_member(member: Membership) -> Request | None:
    row = factor_resets.open_one(member.user_id)
    return _told(row) if row else None


def waiting_among(user_ids: Sequence[int]) -> set[int]:
    """Which of these people have asked."""
    query = select(FactorReset.user_id).where(
        FactorReset.ended_at.is_(None), FactorReset.user_id.in_(user_ids)
    )
    with people_scope():
        return set(db.session.scalars(query))


def _told(row: FactorReset) -> Request:
    """For a partner, other ones of the person have no names."""
    here = tenant_in_scope()
    needed, agreed = factor_resets.partners_to_agree(row.user_id), factor_resets.agreements(row)
    names = {partner.id: partner.name for partner in _partners(needed)}
    left = sorted(
        names[number] if here in (None, number) else "each other partner of theirs"
        for number in needed - {one.partner_id for one in agreed}
    )
    staff = factor_resets.STAFF_NEEDED - len({one.by_user_id for one in agreed if one.partner_id is None})
    owners = f"an owner of {' and of '.join(dict.fromkeys(left))}, or " if left else ""
    people = "two staff people" if staff > 1 else "one staff person more"
    shown = [one for one in agreed if here is None or one.partner_id in (None, here)]
    partners = sorted(name for number, name in names.items() if here in (None, number))
    return Request(row, shown, partners, "" if row.due_at else f"{owners}{people}")


def _partners(ids: set[int]) -> Sequence[Tenant]:
    return db.session.scalars(select(Tenant).where(Tenant.id.in_(ids))).all()
