"""A page of contacts."""

from typing import Any

from portal.autotask import filters, records
from portal.autotask.client import Client
from portal.sync import counts, customers, marks, tables, upsert
from portal.sync.current_run import Running

NO_CUSTOMER = "of a customer that is not synced"


def contacts_in(running: Running, client: Client | None, page: list[Any]) -> None:
    """Writes the contacts inside the filters whose customer is synced, and marks those that left."""
    found = running.bad.parsed(counts.CONTACTS, records.contact, page)
    owners = customers.known(record["company_autotask_id"] for record in found)
    rows, left = [], []
    for record in found:
        owner = owners.get(record["company_autotask_id"])
        inside = filters.matches_contact(running.task.filters, record)
        if owner and inside:
            rows.append(tables.contact_row(record, owner.id))
        else:
            counts.skip(running.items, counts.CONTACTS, customers.OUTSIDE if owner else NO_CUSTOMER)
            left.append(record["autotask_id"])
    running.bad.one_by_one(counts.CONTACTS, "Contacts", rows, lambda some: _write(running, some))
    marks.outside(running.writer, running.items, "contact", left)
    running.bad.came_in_well("contact", [row["autotask_id"] for row in rows])


def _write(running: Running, rows: list[upsert.Row]) -> None:
    written = upsert.write(
        tables.CONTACT,
        rows,
        running.writer,
        running.clock.read_at,
    )
    counts.add(running.items, counts.CONTACTS, **written.numbers())
