"""Requests of people who lost all second factors: who agreed and still may, and what ends one, whoever does it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from portal import clock
from portal.access.tenancy import people_scope, system_scope
from portal.extensions import db, rows_written
from portal.models import FactorReset, FactorResetAgreement, Membership, ResetOutcome, Role

STAFF_NEEDED = 2


@dataclass(frozen=True)
class Standing:
    """Whose word counts today, and the partners an owner of each of which agrees, unless two staff people do.

    `ownerless`: those of the partners that have no other owner than the person.
    """

    agreed: Sequence[FactorResetAgreement]
    needed: Collection[int]
    ownerless: Collection[int]

    @property
    def staff(self) -> int:
        return len({one.by_user_id for one in self.agreed if one.partner_id is None})

    @property
    def lacking(self) -> set[int]:
        return set(self.needed) - {one.partner_id for one in self.agreed}

    @property
    def is_enough(self) -> bool:
        return self.staff >= STAFF_NEEDED or (bool(self.needed) and not self.lacking)


def hold(user_id: int | None) -> None:
    """Keeps the person's open request until the transaction ends.

    Whoever locks it as well as the person, their factors, their links or a log takes the request first.
    """
    query = select(FactorReset.id).where(FactorReset.user_id == user_id, FactorReset.ended_at.is_(None))
    with people_scope():
        db.session.execute(query.with_for_update())


def end_open(user_id: int, outcome: ResetOutcome) -> bool:
    """Ends the person's open request; whether there was one. The caller commits."""
    found = FactorReset.user_id == user_id, FactorReset.ended_at.is_(None)
    statement = update(FactorReset).where(*found).values(ended_at=clock.now(), outcome=outcome)
    with people_scope():
        db.session.flush()
        return rows_written(statement) == 1


def open_one(user_id: int) -> FactorReset | None:
    """The person's request that has not ended."""
    query = select(FactorReset).where(FactorReset.user_id == user_id, FactorReset.ended_at.is_(None))
    with people_scope():
        return db.session.scalar(query)


def standing(row: FactorReset) -> Standing:
    return standings([row])[row.id]


def standings(rows: Collection[FactorReset]) -> dict[int, Standing]:
    """How it stands with each of these requests, by its id; asks as often for one as for many."""
    query = select(FactorResetAgreement).where(FactorResetAgreement.reset_id.in_([row.id for row in rows]))
    with people_scope():  # a partner's scope knows nobody of another one
        query = query.options(joinedload(FactorResetAgreement.by))
        given = db.session.scalars(query.order_by(FactorResetAgreement.id)).all()
    places = _places({row.user_id for row in rows})
    owners = {place for place, role in places.items() if role == Role.OWNER}
    found = {}
    for row in rows:
        needed = {partner_id for partner_id, user_id in places if user_id == row.user_id}
        told = [one for one in given if one.reset_id == row.id and one.by_user_id != row.user_id]
        others = {partner_id for partner_id, user_id in owners if user_id != row.user_id}
        agreed = [one for one in told if _counts(one, needed, owners)]
        found[row.id] = Standing(agreed, needed, needed - others)
    return found


def _counts(one: FactorResetAgreement, needed: Collection[int], owners: set[tuple[int, int]]) -> bool:
    if one.by.disabled_at is not None:
        return False
    if one.partner_id is None:
        return one.by.is_staff
    return one.partner_id in needed and (one.partner_id, one.by_user_id) in owners


def _places(user_ids: Collection[int]) -> dict[tuple[int, int], str]:
    """The role by (partner, person), of these people and of the owners of their partners."""
    mine = Membership.user_id.in_(user_ids)
    theirs = Membership.tenant_id.in_(select(Membership.tenant_id).where(mine))
    query = select(Membership.tenant_id, Membership.user_id, Membership.role)
    with system_scope():
        rows = db.session.execute(query.where(theirs, mine | (Membership.role == Role.OWNER)))
        return {(row[0], row[1]): row[2] for row in rows}
