"""Which customers and invoices of the portal a file means: by the names of its own system, else by name and number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_

from portal import connect
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.imports.outcome import owned
from portal.models import Customer, IntegrationRole, Invoice
from portal.uploads.drafts import Draft


@dataclass(frozen=True)
class Found:
    """Customers by what the drafts call them; `several` are names that more than one has."""

    customers: Mapping[str, Customer] = field(default_factory=dict)
    several: Mapping[str, int] = field(default_factory=dict)

    def called(self, names: Sequence[str]) -> Mapping[str, Customer]:
        return {name: self.customers[name] for name in names if name in self.customers}


def customers(names: set[str]) -> Found:
    """By the number of their own system first, then by a name that only one has."""
    rows = db.session.scalars(
        scoped(Customer)
        .where(
            or_(Customer.external_id.in_(names), Customer.name.in_(names) & Customer.archived_at.is_(None))
        )
        .order_by(Customer.id)
    ).all()
    times = Counter(row.name for row in rows)
    found = {row.name: row for row in rows if times[row.name] == 1}
    found |= {row.external_id: row for row in rows if row.external_id is not None}
    several = {name: number for name, number in times.items() if number > 1 and name not in found}
    return Found(found, several)


def settle_customers(drafts: Sequence[Draft], *, by_name: bool) -> dict[int, str]:
    """{place: external id}; who is known by name keeps the number of its own system. Others' customers are refused."""
    keys = {draft.key for draft in drafts} | {draft.label for draft in drafts}
    rows = db.session.scalars(
        scoped(Customer).where(or_(Customer.external_id.in_(keys), Customer.name.in_(keys)))
    ).all()
    ids = {str(row.external_id) for row in rows if row.external_id is not None}
    ours, theirs = _by(rows, of_its_system=True), _by(rows, of_its_system=False)
    found = {}
    for draft in drafts:
        found[draft.place] = draft.key
        if draft.key in ids:
            continue
        mine, others = ours.get(draft.label, []), theirs.get(draft.label, [])
        if by_name and len(mine) == 1:
            found[draft.place] = str(mine[0].external_id)
        elif by_name and len(mine) > 1:
            draft.refuse("name", f"{len(mine)} customers have this name. Choose a column with their numbers.")
        elif others:
            _refuse_others(draft, "customer", others[0])
    return found


def settle_invoices(drafts: Sequence[Draft], *, by_number: bool) -> dict[int, str]:
    """{place: external id}; one that is known by number keeps the one of its own system. Others' invoices are refused."""
    keys = {draft.key for draft in drafts} | {draft.label for draft in drafts}
    rows = db.session.scalars(
        scoped(Invoice).where(or_(Invoice.external_id.in_(keys), Invoice.number.in_(keys)))
    ).all()
    named = {str(row.external_id): row for row in rows if row.external_id is not None}
    numbers = {row.number: row for row in rows if row.external_id is not None and not row.is_voided}
    theirs = {row.number: row for row in rows if row.external_id is None and not row.is_voided}
    found = {}
    for draft in drafts:
        found[draft.place] = draft.key
        mine = numbers.get(draft.label) if by_number else None
        if mine is not None:
            found[draft.place] = str(mine.external_id)
        elif by_number and draft.key in named and named[draft.key].number != draft.label:
            draft.refuse("number", f"What your billing system calls {draft.key} has the number "
                f"{named[draft.key].number} here. Choose a column with its own numbers.")  # fmt: skip
        elif draft.key not in named and draft.label in theirs:
            _refuse_others(draft, "invoice", theirs[draft.label])
    return found


def _by(rows: Sequence[Customer], *, of_its_system: bool) -> dict[str, list[Customer]]:
    found: dict[str, list[Customer]] = {}
    for row in rows:
        if (row.external_id is not None) == of_its_system:
            found.setdefault(row.name, []).append(row)
    return found


def _refuse_others(draft: Draft, noun: str, row: Customer | Invoice) -> None:
    """Of Autotask as primary, or made here: a file changes neither."""
    integration = connect.current()
    if row.autotask_id is not None and integration and integration.role == IntegrationRole.PRIMARY:
        draft.refuse_whole(owned(noun).sentence)
        return
    name = "name" if noun == "customer" else "number"
    draft.refuse(name, f"There is {_a(noun)} with this {name} here that did not come from your billing system. "
        "Change that one, or archive it and give it another name first.")  # fmt: skip


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
