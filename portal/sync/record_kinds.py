"""The kinds of record that a sync brings in: one description each, for rows, counts, pages and Autotask."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordKind:
    """`subject` names it in rows that speak of a record, `counted` in a run's counts, `entity` in Autotask.

    `named` is SQL of what a person calls a record, over its columns of `{of}`, beside its row `t`.
    """

    subject: str
    table: str
    entity: str
    counted: str
    one: str
    many: str
    named: str

    def label(self, of: str = "t") -> str:
        return self.named.format(of=of)


CUSTOMER = RecordKind("customer", "customer", "Companies", "customers", "Customer", "Customers", "{of}.name")
CONTACT = RecordKind(
    "contact",
    "contact",
    "Contacts",
    "contacts",
    "Contact",
    "Contacts",
    "btrim({of}.first_name || ' ' || {of}.last_name)",
)
INVOICE = RecordKind("invoice", "invoice", "Invoices", "invoices", "Invoice", "Invoices", "{of}.number")
LINE = RecordKind(
    "line",
    "invoice_line",
    "BillingItems",
    "line_items",
    "Line item",
    "Line items",
    "(SELECT i.number FROM invoice i WHERE i.tenant_id = t.tenant_id AND i.id = t.invoice_id) || ', ' || {of}.name",
)

ALL = (CUSTOMER, CONTACT, INVOICE, LINE)
BY_SUBJECT = {kind.subject: kind for kind in ALL}
BY_ENTITY = {kind.entity: kind for kind in ALL}
