"""What becomes of invoices, matches, deliveries and exceptions when Autotask's role changes: counts and money (rule 6).

Told from what is here alone. What Autotask's next read brings is not known before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, case, func, select

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.ledger.unconfirmed import UNCONFIRMED
from portal.models import (
    Customer,
    Delivery,
    ExceptionItem,
    ExceptionState,
    Integration,
    IntegrationRole,
    Invoice,
)
from portal.sync.candidates import IS_LOOKED_FOR
from portal.sync.matched_by_hand import MATCHES

Sums = Sequence[tuple[str, Decimal]]
THERE, ENDING, OWN, REST = "there", "ending", "own", "rest"
# What is told of each, in this order: its name, and what then becomes of it.
TO_SECONDARY = {
    "customers": (
        "Customers from Autotask",
        "Stay as they are. Autotask changes them no longer, and brings in no new ones.",
    ),
    THERE: (
        "Invoices from Autotask, or matched",
        (
            "Stay, with their payments, and count as matched. Amounts and lines come from there no longer; whether they "
            "are paid or voided there still does."
        ),
    ),
    OWN: (
        "Invoices of the portal's own",
        (
            "Are looked for in Autotask. Found once with the same number and amount, one is matched; the others become "
            "exceptions."
        ),
    ),
    ENDING: ("Matches being taken back", "Go on: each ends once its paid date is cleared in Autotask."),
    REST: ("Credits, voided and archived invoices", "Are not looked for."),
    "deliveries": ("Deliveries not confirmed yet", "Go on: Autotask is told as before."),
    "exceptions": ("Other open exceptions", "Stay open."),
}
TO_PRIMARY = {
    THERE: (
        "Matched invoices",
        (
            "Become Autotask's: from the next read, number, amount, dates, lines and customer are those that stand there. "
            "Their payments stay."
        ),
    ),
    "owned": (
        "Of these, known to your own system",
        "Files and the API change them no longer: what they send is refused, and says why.",
    ),
    OWN: (
        "Invoices that are not matched",
        (
            "Stay the portal's own. They are looked for no longer, and Autotask hears of no payment for them. If one is "
            "in Autotask under another number, it comes in as a second invoice."
        ),
    ),
    ENDING: (
        "Matches being taken back",
        "Go on. Once their paid date is cleared in Autotask, its invoices come in as new ones.",
    ),
    REST: ("Credits, voided and archived invoices", "Stay; what is Autotask's follows it again."),
    "deliveries": ("Deliveries not confirmed yet", "Go on: Autotask is told as before."),
    "matching": ("Exceptions of matching", "Are closed: nothing is looked for any more."),
    "exceptions": ("Other open exceptions", "Stay open."),
}


@dataclass(frozen=True)
class Line:
    """How many of one kind, of how much money (currency, amount), and what becomes of them."""

    key: str
    what: str
    number: int
    sums: Sums
    then: str


@dataclass(frozen=True)
class Preview:
    """What changing to `role` does, told in lines."""

    role: str
    lines: Sequence[Line]

    @property
    def is_primary(self) -> bool:
        return self.role == IntegrationRole.PRIMARY

    @property
    def shown(self) -> list[Line]:
        """Those that say anything."""
        return [line for line in self.lines if line.number]

    def of(self, key: str) -> Line:
        return next(line for line in self.lines if line.key == key)

    @property
    def numbers(self) -> dict[str, int]:
        return {line.key: line.number for line in self.lines}

    @property
    def seen(self) -> str:
        """Two previews say the same when these are the same."""
        return ";".join(
            f"{line.key}:{line.number}:{','.join(f'{code} {amount:f}' for code, amount in line.sums)}"
            for line in self.lines
        )


def preview(integration: Integration, role: str) -> Preview:
    """What changing the role of the partner's integration to `role` would do now."""
    found = _invoices(integration) | {
        "customers": (_customers(integration), ()),
        "deliveries": _deliveries(),
        **_exceptions(),
    }
    words = TO_PRIMARY if role == IntegrationRole.PRIMARY else TO_SECONDARY
    return Preview(role, [Line(key, what, *found[key], then) for key, (what, then) in words.items()])


def _invoices(integration: Integration) -> dict[str, tuple[int, Sums]]:
    stands = case(
        (Invoice.match_ends_at.is_not(None), ENDING),
        (~IS_LOOKED_FOR, REST),
        (Invoice.autotask_id.is_not(None) & (Invoice.integration_id == integration.id), THERE),
        else_=OWN,
    )
    told = select(stands.label("stands"), Invoice.currency, Invoice.amount_due, Invoice.external_id).where(
        Invoice.tenant_id == current_tenant_id()
    )
    t = told.subquery("told")
    owned = func.count(t.c.external_id)
    owned_sum = func.sum(t.c.amount_due).filter(t.c.external_id.is_not(None))
    rows = db.session.execute(
        select(t.c.stands, t.c.currency, func.count(), func.sum(t.c.amount_due), owned, owned_sum)
        .group_by(t.c.stands, t.c.currency)
        .order_by(t.c.currency)
    ).all()
    found = {name: _added([row[1:4] for row in rows if row[0] == name]) for name in (THERE, ENDING, OWN)}
    found["owned"] = _added([(row[1], row[4], row[5]) for row in rows if row[0] == THERE and row[4]])
    found[REST] = (sum(row[2] for row in rows if row[0] == REST), ())
    return found


def _added(rows: Sequence[Any]) -> tuple[int, Sums]:
    return sum(row[1] for row in rows), tuple((row[0], row[2]) for row in rows)


def _customers(integration: Integration) -> int:
    from_there = and_(
        Customer.tenant_id == current_tenant_id(),
        Customer.integration_id == integration.id,
        Customer.autotask_id.is_not(None),
    )
    return db.session.scalar(select(func.count()).select_from(Customer).where(from_there)) or 0


def _deliveries() -> tuple[int, Sums]:
    rows = db.session.execute(
        select(Invoice.currency, func.count(), func.sum(Invoice.amount_due))
        .select_from(Delivery)
        .join(Invoice, (Invoice.tenant_id == Delivery.tenant_id) & (Invoice.id == Delivery.invoice_id))
        .where(Delivery.tenant_id == current_tenant_id(), Delivery.state.in_(UNCONFIRMED))
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    ).all()
    return _added(rows)


def _exceptions() -> dict[str, tuple[int, Sums]]:
    of_matching = ExceptionItem.cause.in_(MATCHES)
    row = db.session.execute(
        select(func.count().filter(of_matching), func.count().filter(~of_matching)).where(
            ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == ExceptionState.OPEN
        )
    ).one()
    return {"matching": (row[0], ()), "exceptions": (row[1], ())}
