"""Customers of the partner's own system. None of it goes to Autotask (rule 3.8). The caller commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text

from portal import money
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.imports import outcome
from portal.imports.given import GivenCustomer
from portal.imports.outcome import Outcome, Refusal
from portal.models import Customer, Invoice

# Two batches of one partner that name the same records follow each other.
LOCK = text("SELECT pg_advisory_xact_lock(8301, hashtext(:tenant))")
TWICE = Refusal("external_id", "This external_id stands more than once in what was sent.")
OWNED = Refusal("", "Autotask owns this customer. Change it there; the next sync brings it here.")


def lock() -> None:
    db.session.execute(LOCK, {"tenant": str(current_tenant_id())})


def named(external_ids: Sequence[str]) -> dict[str, Customer]:
    """The partner's customers by their external ids."""
    rows = db.session.scalars(scoped(Customer).where(Customer.external_id.in_(set(external_ids))))
    return {str(row.external_id): row for row in rows}


def take(given: Sequence[GivenCustomer]) -> list[Outcome]:
    """Makes and changes customers so that each is as it is given; an outcome for each, in their order."""
    lock()
    known = named([one.external_id for one in given])
    twice = outcome.repeated(one.external_id for one in given)
    billed = _currencies_billed(list(known.values()))
    found = [_decide(one, known.get(one.external_id), twice, billed) for one in given]
    db.session.flush()
    return outcome.made(Customer, found)


def _decide(
    given: GivenCustomer, row: Customer | None, twice: set[str], billed: dict[int, set[str]]
) -> Outcome | dict[str, Any]:
    """The outcome, or the columns of a row to add."""
    values = _values(given)
    refusals = [TWICE] if given.external_id in twice else []
    if not money.is_currency(given.currency):
        refusals.append(Refusal("currency", f"There is no currency {given.currency}."))
    if row is not None and row.autotask_id is not None:
        refusals.append(OWNED)
    if row is not None and billed.get(row.id, set()) - {given.currency}:
        refusals.append(
            Refusal("currency", f"This customer has invoices in {row.currency}; its currency stays.")
        )
    if refusals:
        return outcome.refused(given.external_id, refusals)
    if row is None:
        return {"tenant_id": current_tenant_id(), "external_id": given.external_id, **values}
    changes = outcome.compared(row, values)
    for name in changes:
        setattr(row, name, values[name])
    return outcome.taken(given.external_id, row.id, row.name, changes)


def _values(given: GivenCustomer) -> dict[str, Any]:
    names = ("name", "currency", "number", "active", "phone", "address", "tax_exempt")
    return {name: getattr(given, name) for name in names}


def _currencies_billed(rows: Sequence[Customer]) -> dict[int, set[str]]:
    """The currencies of each customer's invoices."""
    found: dict[int, set[str]] = {}
    pairs = (
        select(Invoice.customer_id, Invoice.currency)
        .where(Invoice.tenant_id == current_tenant_id(), Invoice.customer_id.in_([row.id for row in rows]))
        .distinct()
    )
    for customer_id, currency in db.session.execute(pairs) if rows else ():
        found.setdefault(customer_id, set()).add(currency)
    return found
