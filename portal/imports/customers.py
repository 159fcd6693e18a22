"""Customers of the partner's own system. None of it goes to Autotask (rule 3.8). The caller commits."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, String, column, select, text, values

from portal import money
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.imports import outcome
from portal.imports.given import GivenCustomer
from portal.imports.outcome import TWICE, Outcome, Refusal, owned
from portal.models import Customer, Invoice

# Two batches of one partner that name the same records follow each other.
LOCK = text("SELECT pg_advisory_xact_lock(8301, hashtext(:tenant))")


def lock() -> None:
    db.session.execute(LOCK, {"tenant": str(current_tenant_id())})


def named(external_ids: Sequence[str]) -> dict[str, Customer]:
    """The partner's customers by their external ids."""
    rows = db.session.scalars(scoped(Customer).where(Customer.external_id.in_(set(external_ids))))
    return {str(row.external_id): row for row in rows}


def take(given: Sequence[GivenCustomer]) -> list[Outcome]:
    """Makes and changes customers so that each is as it is given; an outcome for each, in their order."""
    found = look(given)
    db.session.flush()
    return outcome.made(Customer, found)


def look(given: Sequence[GivenCustomer]) -> list[Outcome | dict[str, Any]]:
    """What taking them would do, with the columns of those to add; nothing is written until the session is flushed."""
    lock()
    known = named([one.external_id for one in given])
    twice = outcome.repeated(one.external_id for one in given)
    billed = _billed_otherwise(given, known)
    return [_decide(one, known.get(one.external_id), twice, billed) for one in given]


def _decide(
    given: GivenCustomer, row: Customer | None, twice: set[str], billed: Mapping[int, str]
) -> Outcome | dict[str, Any]:
    """The outcome, or the columns of a row to add."""
    wanted = _values(given)
    refusals = [TWICE] if given.external_id in twice else []
    if not money.is_currency(given.currency):
        refusals.append(Refusal("currency", f"There is no currency {given.currency}."))
    if row is not None and row.autotask_id is not None:
        refusals.append(owned("customer"))
    if row is not None and row.id in billed:
        sentence = f"This customer has invoices in {billed[row.id]}; its currency stays."
        refusals.append(Refusal("currency", sentence))
    if refusals:
        return outcome.refused(given.external_id, refusals)
    if row is None:
        return {"tenant_id": current_tenant_id(), "external_id": given.external_id, **wanted}
    changes = outcome.compared(row, wanted)
    for name in changes:
        setattr(row, name, wanted[name])
    return outcome.taken(given.external_id, row.id, row.name, changes)


def _values(given: GivenCustomer) -> dict[str, Any]:
    names = ("name", "currency", "number", "active", "phone", "address", "tax_exempt")
    return {name: getattr(given, name) for name in names}


def _billed_otherwise(given: Sequence[GivenCustomer], known: Mapping[str, Customer]) -> dict[int, str]:
    """{customer: a currency of its invoices} of those that get another currency than some invoice of theirs has.

    They are held until the transaction ends, so that no invoice is made meanwhile.
    """
    wanted = {
        row.id: one.currency
        for one in given
        if (row := known.get(one.external_id)) is not None and row.currency != one.currency
    }
    if not wanted:
        return {}
    held = scoped(Customer).where(Customer.id.in_(wanted)).order_by(Customer.id).with_for_update()
    db.session.scalars(held.execution_options(populate_existing=True)).all()
    asked = values(column("id", BigInteger), column("currency", String), name="asked").data(
        list(wanted.items())
    )
    other = (
        select(Invoice.currency)
        .where(
            Invoice.tenant_id == current_tenant_id(),
            Invoice.customer_id == asked.c.id,
            Invoice.currency != asked.c.currency,
        )
        .limit(1)
        .scalar_subquery()
    )
    found = db.session.execute(select(asked.c.id, other))
    return {customer_id: currency for customer_id, currency in found if currency is not None}
