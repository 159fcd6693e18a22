"""Which of Autotask's fields the raw limit copies, and where: the same as the portal keeps."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

EVERYTHING = {"op": "gte", "field": "id", "value": 0}
ON_INVOICES = {"op": "gt", "field": "invoiceID", "value": 0}


@dataclass(frozen=True)
class Copy:
    """One entity. `fields` are Autotask's with PostgreSQL's type, `columns` ours with what they are set to."""

    entity: str
    table: str
    fields: dict[str, str]
    columns: dict[str, str]
    owner: str = ""
    condition: Any = None

    def row(self, item: dict[str, Any]) -> list[Any]:
        """The values of an item in the order of `fields`."""
        values = [item.get(name) for name in self.fields]
        return [json.dumps(value) if isinstance(value, list) else value for value in values]

    @property
    def stage(self) -> str:
        return f"limit_{self.table}"

    @cached_property
    def create_stage(self) -> str:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.fields.items())
        return f"CREATE TEMP TABLE {self.stage} ({columns}) ON COMMIT DELETE ROWS"

    @cached_property
    def copy(self) -> str:
        names = ", ".join(f'"{name}"' for name in self.fields)
        return f"COPY {self.stage} ({names}) FROM STDIN"

    @cached_property
    def upsert(self) -> str:
        names = ", ".join(self.columns)
        updates = ", ".join(f"{name} = excluded.{name}" for name in self.columns)
        old, new = (", ".join(f"{side}.{name}" for name in self.columns) for side in ("t", "excluded"))
        return f"""
            INSERT INTO {self.table} AS t (tenant_id, integration_id, autotask_id, {names})
            SELECT 1, 1, s.id, {", ".join(self.columns.values())} FROM {self.stage} s {self.owner}
            ON CONFLICT (tenant_id, integration_id, autotask_id) DO UPDATE SET {updates}
            WHERE ({old}) IS DISTINCT FROM ({new})"""


def _owned_by(table: str, field: str) -> str:
    return (
        f"JOIN {table} o ON o.tenant_id = 1 AND o.integration_id = 1 AND o.autotask_id = s.{_quoted(field)}"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _text(field: str) -> str:
    return f"coalesce(s.{_quoted(field)}, '')"


CUSTOMERS = Copy(
    "Companies",
    "customer",
    {
        "id": "bigint",
        **dict.fromkeys(["companyName", "companyNumber", "phone"], "text"),
        **dict.fromkeys(["address1", "address2", "city", "state", "postalCode"], "text"),
        **dict.fromkeys(["companyType", "classification", "territoryID", "marketSegmentID"], "bigint"),
        "currencyID": "bigint",
        "isActive": "boolean",
        "isTaxExempt": "boolean",
        "lastTrackedModifiedDateTime": "timestamptz",
    },
    {
        "name": 's."companyName"',
        "number": _text("companyNumber"),
        "phone": _text("phone"),
        "address": """concat_ws(E'\\n', s.address1, s.address2, s.city, s.state, s."postalCode")""",
        "company_type": 's."companyType"',
        "classification": "s.classification",
        "territory_id": 's."territoryID"',
        "market_segment_id": 's."marketSegmentID"',
        "currency_autotask_id": 's."currencyID"',
        "currency": "'USD'",
        "active": 's."isActive"',
        "tax_exempt": 'coalesce(s."isTaxExempt", false)',
        "modified_at": 's."lastTrackedModifiedDateTime"',
    },
    condition=EVERYTHING,
)

CONTACTS = Copy(
    "Contacts",
    "contact",
    {
        **dict.fromkeys(["id", "companyID"], "bigint"),
        **dict.fromkeys(["firstName", "lastName", "emailAddress"], "text"),
        "isActive": "bigint",
        **dict.fromkeys(["billingContact", "primaryContact"], "boolean"),
        "userDefinedFields": "jsonb",
        "lastModifiedDate": "timestamptz",
    },
    {
        "customer_id": "o.id",
        "first_name": _text("firstName"),
        "last_name": _text("lastName"),
        "email": _text("emailAddress"),
        "active": 's."isActive" = 1',
        "billing": 'coalesce(s."billingContact", false)',
        '"primary"': 'coalesce(s."primaryContact", false)',
        "user_defined": 's."userDefinedFields"',
        "modified_at": 's."lastModifiedDate"',
    },
    owner=_owned_by("customer", "companyID"),
    condition=EVERYTHING,
)

INVOICES = Copy(
    "Invoices",
    "invoice",
    {
        **dict.fromkeys(["id", "companyID"], "bigint"),
        **dict.fromkeys(["invoiceNumber", "orderNumber", "comments", "taxRegionName"], "text"),
        **dict.fromkeys(["invoiceTotal", "totalTaxValue"], "numeric(20,6)"),
        **dict.fromkeys(["invoiceDateTime", "dueDate", "paidDate", "voidedDate"], "date"),
        **dict.fromkeys(["fromDate", "toDate"], "date"),
        "isVoided": "boolean",
        "createDateTime": "timestamptz",
    },
    {
        "customer_id": "o.id",
        "currency": "o.currency",
        "number": """coalesce(s."invoiceNumber", s.id::text)""",
        "autotask_number": 's."invoiceNumber"',
        "order_number": _text("orderNumber"),
        "comments": _text("comments"),
        "tax_region": _text("taxRegionName"),
        "total_raw": 's."invoiceTotal"',
        "tax_raw": 'coalesce(s."totalTaxValue", 0)',
        "amount_due": 'round(s."invoiceTotal" + coalesce(s."totalTaxValue", 0), 2)',
        "issued_on": 's."invoiceDateTime"',
        "due_on": 's."dueDate"',
        "autotask_due_on": 's."dueDate"',
        "autotask_paid_on": 's."paidDate"',
        "voided_on": 's."voidedDate"',
        "is_voided": 's."isVoided"',
        "from_on": 's."fromDate"',
        "to_on": 's."toDate"',
        "autotask_created_at": 's."createDateTime"',
    },
    owner=_owned_by("customer", "companyID"),
    condition=EVERYTHING,
)

LINES = Copy(
    "BillingItems",
    "invoice_line",
    {
        **dict.fromkeys(["id", "invoiceID"], "bigint"),
        **dict.fromkeys(["itemName", "description"], "text"),
        **dict.fromkeys(["quantity", "rate", "extendedPrice", "taxDollars", "totalAmount"], "numeric(20,6)"),
        "itemDate": "date",
        **dict.fromkeys(["billingItemType", "sortOrderID"], "bigint"),
        "nonBillable": "boolean",
    },
    {
        "invoice_id": "o.id",
        "name": _text("itemName"),
        "description": _text("description"),
        "quantity": "s.quantity",
        "rate": "s.rate",
        "price_raw": 's."extendedPrice"',
        "tax_raw": 'coalesce(s."taxDollars", 0)',
        "total_raw": 's."totalAmount"',
        "item_on": 's."itemDate"',
        "item_type": 's."billingItemType"',
        "sort_order": 's."sortOrderID"',
        "non_billable": 'coalesce(s."nonBillable", false)',
    },
    owner=_owned_by("invoice", "invoiceID"),
    condition=ON_INVOICES,
)

COPIES = (CUSTOMERS, CONTACTS, INVOICES, LINES)
