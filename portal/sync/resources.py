"""What is read from Autotask, and what becomes of a page of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.autotask.client import Client
from portal.sync import counts
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


CUSTOMERS = Resource("Companies", counts.CUSTOMERS, "customer", "Customers", "customer", customers_in)
CONTACTS = Resource("Contacts", counts.CONTACTS, "contact", "Contacts", "contact", contacts_in)
INVOICES = Resource("Invoices", counts.INVOICES, "invoice", "Invoices", "invoice", invoices_in)
LINES = Resource("BillingItems", counts.LINES, "line", "Line items", None, lines_in)
SINGLE_LINES = Resource("BillingItems", counts.LINES, "line", "Line items", None, single_lines_in)
