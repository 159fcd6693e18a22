"""The product's words for the details of events: what a detail is called, and what its values mean.

A detail that has no word here is shown nowhere but in the CSV file.
"""

from collections.abc import Mapping
from typing import Any

from portal.formatters import DATE_FORMATS, NUMBER_EXAMPLES, how_paid, kept_amount
from portal.models import (
    Identifier,
    IntegrationRole,
    PaymentMethod,
    Role,
    SupportAccess,
    SyncTrigger,
    TotalsMode,
    VisitMode,
)

LABELS = {
    "amount": "Amount",
    "amount_due": "Amount due",
    "tax": "Of which tax",
    "due_on": "Due on",
    "issued_on": "Invoice date",
    "paid_on": "Paid on",
    "happened_on": "Happened on",
    "held_methods": "Told to Autotask once it has arrived",
    "method": "How",
    "reference": "Reference",
    "external_id": "Number in your billing system",
    "number": "Number",
    "currency": "Currency",
    "default_currency": "Currency",
    "name": "Name",
    "customer": "Customer",
    "net": "Without tax",
    "total": "Total",
    "lines": "Lines",
    "voided": "Voided",
    "order_number": "Order number",
    "active": "Active",
    "tax_exempt": "Tax exempt",
    "because": "Because",
    "phone": "Phone",
    "address": "Address",
    "comments": "Comments",
    "reason": "Reason",
    "note": "Note",
    "ticket": "Ticket",
    "mode": "Support may",
    "expires_at": "At the latest until",
    "until": "Until",
    "trigger": "Started",
    "forced": "Although it was not due",
    "invoices_changed": "Amounts changed",
    "invoices_renumbered": "Invoices renumbered",
    "role_customers": "Customers from Autotask then",
    "role_there": "Invoices matched then",
    "role_owned": "Of these, known to the own system",
    "role_own": "Invoices not matched then",
    "role_ending": "Matches being taken back then",
    "role_rest": "Credits, voided and archived ones then",
    "role_deliveries": "Deliveries not confirmed then",
    "role_matching": "Exceptions of matching closed",
    "role_exceptions": "Other open exceptions then",
    "deliveries_owed": "Deliveries owed to Autotask",
    "refused_since": "Refused since",
    "identifier": "Invoices are shown by",
    "totals_mode": "Autotask's totals are",
    "role": "Role",
    "email": "E-mail",
    "username": "API user",
    "by": "By",
    "date_format": "Dates",
    "number_format": "Amounts",
    "second_factor_for_all": "Second factor for everybody",
    "support_access": "Support",
    "company_types": "Company types",
    "classifications": "Classifications",
    "territories": "Territories",
    "market_segments": "Market segments",
    "active_only": "Only active customers",
    "invoices_since": "Invoices since",
    "skip_zero_totals": "Zero totals left out",
    "contacts": "Contacts",
    "host": "Goes to",
    "events": "Hears of",
    "contact_field": "Contacts' field",
    "contact_value": "Its value",
}
VALUES: Mapping[str, Mapping[Any, str]] = {
    "method": {one.value: how_paid(one) for one in PaymentMethod},
    "mode": {VisitMode.VIEW: "look", VisitMode.ACT: "act"},
    "trigger": {
        SyncTrigger.CONNECT: "by connecting Autotask",
        SyncTrigger.SCHEDULE: "on schedule",
        SyncTrigger.BUTTON: "by a button",
        SyncTrigger.RETRY: "by trying again",
        SyncTrigger.COMMAND: "by a command",
    },
    "identifier": {Identifier.NUMBER: "invoice number", Identifier.ID: "Autotask ID"},
    "totals_mode": {TotalsMode.WITH_TAX: "with tax", TotalsMode.WITHOUT_TAX: "without tax"},
    "role": {one.value: one.value for one in (*Role, *IntegrationRole)},
    "support_access": {SupportAccess.OFF: "may not come in", SupportAccess.VIEW: "may look"},
    "date_format": DATE_FORMATS,
    "number_format": NUMBER_EXAMPLES,
    "contacts": {"all": "all", "billing": "Autotask's billing contacts", "field": "by a field"},
}
AMOUNTS = {"amount_due", "net", "tax", "total"}
# What a lone before and after are, by the kind of event; of others they are not shown.
BEFORE_AND_AFTER = {
    "integration.totals_mode_set": "totals_mode",
    "integration.identifier_set": "identifier",
    "integration.role_changed": "role",
    "user.role_changed": "role",
    "partner.time_zone_changed": "time_zone",
}


def meaning(name: str, value: Any) -> Any:
    """The words for a value of this detail; a value that means itself as it is."""
    if name in AMOUNTS and isinstance(value, str):
        return kept_amount(value)
    known = VALUES.get(name)
    if known is None or not isinstance(value, str):
        return value
    return known.get(value, value.replace("_", " "))
