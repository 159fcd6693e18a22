"""Requests of people who have lost all second factors: who agreed, who still has to, when the factors go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import NotFound

from portal.access import factor_resets
from portal.access.tenancy import people_scope, tenant_in_scope
from portal.extensions import db
from portal.models import FactorReset, FactorResetAgreement, Membership, Tenant
from portal.queries.paging import Key, Page, fetch


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

    @property
    def asks_me(self) -> bool:
        return not (self.is_own or self.mine or self.row.due_at)


def page(args: Mapping[str, str]) -> Page:
    """Those that are open, the longest-waiting first."""
    query = select(FactorReset).where(FactorReset.ended_at.is_(None)).options(joinedload(FactorReset.user))
    with people_scope():
        found = fetch(query, (Key(FactorReset.id),), args, ascending=True)
    return Page(_told(found.rows), found.newer, found.older)


def one(reset_id: int) -> Request | None:
    """None once it is over. Raises NotFound."""
    with people_scope():
        row = db.session.get(FactorReset, reset_id) if 0 < reset_id < 2**63 else None
    if row is None:
        raise NotFound
    return None if row.ended_at is not None else _told([row])[0]


def of_member(member: Membership) -> Request | None:
    row = factor_resets.open_one(member.user_id)
    return _told([row])[0] if row else None


def waiting_among(user_ids: Sequence[int]) -> set[int]:
    """Which of these people have asked."""
    query = select(FactorReset.user_id).where(
        FactorReset.ended_at.is_(None), FactorReset.user_id.in_(user_ids)
    )
    with people_scope():
        return set(db.session.scalars(query))


def _told(rows: Sequence[FactorReset]) -> list[Request]:
    if not rows:
        return []
    standings = factor_resets.standings(rows)
    needed = {number for one in standings.values() for number in one.needed}
    found = db.session.execute(select(Tenant.id, Tenant.name).where(Tenant.id.in_(needed)))
    names = {row.id: row.name for row in found}
    return [_request(row, standings[row.id], names) for row in rows]


def _request(row: FactorReset, standing: factor_resets.Standing, names: dict[int, str]) -> Request:
    """For a partner, other ones of the person have no names."""
    here = tenant_in_scope()
    left = sorted(
        names[number] if here in (None, number) else "each other partner of theirs"
        for number in standing.lacking
    )
    may = left and not standing.ownerless
    owners = f"an owner of {' and of '.join(dict.fromkeys(left))}, or " if may else ""
    people = "two staff people" if not standing.staff else "one staff person more"
    shown = [one for one in standing.agreed if here is None or one.partner_id in (None, here)]
    partners = sorted(names[number] for number in standing.needed if here in (None, number))
    return Request(row, shown, partners, "" if row.due_at else f"{owners}{people}")
