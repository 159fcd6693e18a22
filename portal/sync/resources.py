"""What is read from Autotask, and what becomes of a page of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portal.autotask import records
from portal.autotask.client import Client
from portal.autotask.filters import Condition
from portal.sync import asked_fields, record_kinds
from portal.sync.contacts import contacts_in
from portal.sync.current_run import Running
from portal.sync.customers import customers_in
from portal.sync.invoices import invoices_in
from portal.sync.lines import lines_in, single_lines_in
from portal.sync.record_kinds import RecordKind


@dataclass(frozen=True)
class Resource:
    """One kind of record. `consume(running, client, page)` writes a page; the caller commits it."""

    kind: RecordKind
    words: str
    table: str | None
    consume: Callable[[Running, Client, list[Any]], None]
    fields: tuple[str, ...] = ()  # none means all: user-defined fields come only with all

    @property
    def entity(self) -> str:
        return self.kind.entity

    @property
    def item(self) -> str:
        return self.kind.counted

    @property
    def subject(self) -> str:
        return self.kind.subject

    def pages(
        self, client: Client, conditions: Sequence[Condition], after_id: int = 0
    ) -> Iterator[list[Any]]:
        """Pages of raw rows, ids ascending."""
        return asked_fields.pages(client, self.entity, conditions, self.fields, after_id)


COMPANY, INVOICE, LINE = map(tuple, (records.COMPANY_FIELDS, records.INVOICE_FIELDS, records.LINE_FIELDS))

CUSTOMERS = Resource(record_kinds.CUSTOMER, "Customers", "customer", customers_in, COMPANY)
CONTACTS = Resource(record_kinds.CONTACT, "Contacts", "contact", contacts_in)
INVOICES = Resource(record_kinds.INVOICE, "Invoices", "invoice", invoices_in, INVOICE)
LINES = Resource(record_kinds.LINE, "Line items", None, lines_in, LINE)
SINGLE_LINES = Resource(record_kinds.LINE, "Line items", None, single_lines_in, LINE)
