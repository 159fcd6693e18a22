"""A page of companies."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal.access.tenancy import current_tenant_id
from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.autotask.conditions import MOST_IDS
from portal.extensions import db
from portal.models import Customer
from portal.sync import asked_fields, counts, currencies, marks, tables, upsert
from portal.sync.checkpoint import Checkpoint
from portal.sync.current_run import Running
from portal.sync.task import Task

OUTSIDE = "outside the filters"

KNOWN = text("""
    SELECT autotask_id, id, currency FROM customer
    WHERE tenant_id = :tenant_id AND autotask_id = ANY(:ids) AND integration_id IS NOT NULL
        AND outside_filters_at IS NULL""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


class Known(NamedTuple):
    """A customer that is here and inside the filters."""

    id: int
    currency: str


def customers_in(running: Running, client: Client | None, page: list[Any]) -> None:
    """Writes the companies inside the filters, and marks those that left them."""
    found = running.bad.parsed(counts.CUSTOMERS, records.company, page)
    inside = [record for record in found if filters.matches_customer(running.task.filters, record)]
    left = [
        record["autotask_id"]
        for record in found
        if not filters.matches_customer(running.task.filters, record)
    ]
    rows = [tables.customer_row(record, currencies.code_of(running.task, record)) for record in inside]
    if has_customer_filters(running.task):
        _note_entered(running.checkpoint, [row["autotask_id"] for row in rows])
    running.bad.one_by_one(counts.CUSTOMERS, "Companies", rows, lambda some: _write(running, some))
    counts.skip(running.items, counts.CUSTOMERS, OUTSIDE, len(left))
    marks.outside(running.writer, running.items, "customer", left)
    running.bad.came_in_well("customer", [row["autotask_id"] for row in rows])


def _write(running: Running, rows: list[upsert.Row]) -> None:
    written = upsert.write(
        tables.CUSTOMER,
        rows,
        running.writer,
        running.clock.read_at,
    )
    counts.add(running.items, counts.CUSTOMERS, **written.numbers())


def has_customer_filters(task: Task) -> bool:
    return bool(filters.customer_conditions(task.filters))


def few_inside(task: Task) -> list[int] | None:
    """Autotask ids of the customers inside the filters where few enough can be named in a query, else None."""
    if not has_customer_filters(task):
        return None
    ids = db.session.scalars(
        select(Customer.autotask_id)
        .where(
            Customer.tenant_id == current_tenant_id(),
            Customer.integration_id == task.integration.id,
            Customer.outside_filters_at.is_(None),
        )
        .limit(MOST_IDS + 1)
    ).all()
    db.session.commit()
    return [row for row in ids if row is not None] if len(ids) <= MOST_IDS else None


def _note_entered(checkpoint: Checkpoint, autotask_ids: list[int]) -> None:
    """Customers that come into the filters now bring invoices that were left out before."""
    inside = known(autotask_ids).keys()
    checkpoint.entered += [autotask_id for autotask_id in autotask_ids if autotask_id not in inside]


def known(autotask_ids: Iterable[int]) -> dict[int, Known]:
    """Autotask id to customer, for those that are here and inside the filters."""
    values = {"tenant_id": current_tenant_id(), "ids": list(set(autotask_ids))}
    return {row.autotask_id: Known(row.id, row.currency) for row in db.session.execute(KNOWN, values)}


def known_or_read(running: Running, client: Client, autotask_ids: Iterable[int]) -> dict[int, Known]:
    """Like known(), and reads those that are not here yet; then what was not committed before is."""
    wanted = set(autotask_ids)
    here = known(wanted)
    lacking = wanted - here.keys() - running.memory.unknown_companies
    if not lacking or has_customer_filters(running.task):
        return here
    db.session.commit()
    read_at = running.clock.read_at
    for condition in filters.ids_in("id", lacking):
        running.clock.look()
        for page in asked_fields.pages(client, "Companies", [condition], records.COMPANY_FIELDS):
            customers_in(running, client, page)
            running.save()
    running.clock.read_at = read_at
    here = known(wanted)
    running.memory.unknown_companies |= wanted - here.keys()
    db.session.commit()
    return here
