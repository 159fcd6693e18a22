"""Requests of people who lost all second factors: who agreed and still may, and what ends one, whoever does it."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from portal import clock
from portal.access.tenancy import people_scope, system_scope
from portal.extensions import db, rows_written
from portal.models import FactorReset, FactorResetAgreement, Membership, ResetOutcome, Role

STAFF_NEEDED = 2


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


def agreements(row: FactorReset) -> Sequence[FactorResetAgreement]:
    """Who agreed, and may still do so today."""
    query = select(FactorResetAgreement).where(FactorResetAgreement.reset_id == row.id)
    with people_scope():  # a partner's scope knows nobody of another one
        query = query.options(joinedload(FactorResetAgreement.by))
        given = db.session.scalars(query.order_by(FactorResetAgreement.id)).all()
    owners = _owners(row.user_id)
    return [one for one in given if _counts(one, owners)]


def partners_to_agree(user_id: int) -> set[int]:
    """Ids of the partners that the person belongs to: an owner of each agrees, unless two staff people do."""
    query = select(Membership.tenant_id).where(Membership.user_id == user_id)
    with system_scope():
        return set(db.session.scalars(query))


def is_agreed(row: FactorReset) -> bool:
    given, needed = agreements(row), partners_to_agree(row.user_id)
    by_staff = {one.by_user_id for one in given if one.partner_id is None}
    return len(by_staff) >= STAFF_NEEDED or (bool(needed) and needed <= {one.partner_id for one in given})


def _counts(one: FactorResetAgreement, owners: set[tuple[int, int]]) -> bool:
    if one.by.disabled_at is not None:
        return False
    return one.by.is_staff if one.partner_id is None else (one.partner_id, one.by_user_id) in owners


def _owners(user_id: int) -> set[tuple[int, int]]:
    """(partner, person) of everybody else who owns a partner of this person."""
    query = select(Membership.tenant_id, Membership.user_id).where(
        Membership.role == Role.OWNER, Membership.user_id != user_id
    )
    with system_scope():
        return {(row[0], row[1]) for row in db.session.execute(query)}
