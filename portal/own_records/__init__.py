"""What partners do with customers and invoices in the portal itself."""

from portal.own_records.archive import archive, restore
from portal.own_records.customers import change_customer, create_customer
from portal.own_records.invoices import NewInvoice, change_invoice, create_invoice
from portal.own_records.refusal import NotAllowed

__all__ = [
    "NewInvoice",
    "NotAllowed",
    "archive",
    "change_customer",
    "change_invoice",
    "create_customer",
    "create_invoice",
    "restore",
]
