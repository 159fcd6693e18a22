"""What is read from Autotask, and what becomes of a page of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portal.autotask import records
from portal.autotask.client import Client
from portal.autotask.filters import Condition
from portal.sync import counts, fields
from portal.sync.contacts import contacts_in
from portal.sync.customers import customers_in
from portal.sync.invoices import invoices_in
from portal.sync.lines import lines_in, single_lines_in
from portal.sync.running import Running


@dataclass(frozen=True)
class Resource:
    """One kind of record. `consume(running, client, page)` writes a page; the caller commits it."""

    entity: str
    item: str
    subject: str
    words: str
    table: str | None
    consume: Callable[[Running, Client, list[Any]], None]
    fields: tuple[str, ...] = ()  # none means all: user-defined fields come only with all

    def pages(
        self, client: Client, conditions: Sequence[Condition], after_id: int = 0
    ) -> Iterator[list[Any]]:
        """Pages of raw rows, ids ascending."""
        return fields.pages(client, self.entity, conditions, self.fields, after_id)


COMPANY, INVOICE, LINE = map(tuple, (records.COMPANY_FIELDS, records.INVOICE_FIELDS, records.LINE_FIELDS))

CUSTOMERS = Resource(
    "Companies", counts.CUSTOMERS, "customer", "Customers", "customer", customers_in, COMPANY
)
CONTACTS = Resource("Contacts", counts.CONTACTS, "contact", "Contacts", "contact", contacts_in)
INVOICES = Resource("Invoices", counts.INVOICES, "invoice", "Invoices", "invoice", invoices_in, INVOICE)
LINES = Resource("BillingItems", counts.LINES, "line", "Line items", None, lines_in, LINE)
SINGLE_LINES = Resource("BillingItems", counts.LINES, "line", "Line items", None, single_lines_in, LINE)
