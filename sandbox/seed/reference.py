"""Currencies, tax regions, terms, templates, picklists and user-defined fields of the partner."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.schema import ENTITIES
from sandbox.store.rows import whole_row
from sandbox.world import World

OWNER = 29682885

CURRENCIES = [
    (1, "USD", "US Dollar", "1.0", "$#,##0.00"),
    (2, "EUR", "Euro", "1.0847", "€#,##0.00"),
    (3, "GBP", "British Pound", "1.2719", "£#,##0.00"),
    (4, "CAD", "Canadian Dollar", "0.7312", "$#,##0.00"),
    (5, "JPY", "Japanese Yen", "0.0067", "¥#,##0"),
]
TAX_REGIONS = [
    (1, "No Tax", "0"),
    (2, "New York 8.875 %", "0.08875"),
    (3, "California 7.25 %", "0.0725"),
    (4, "VAT UK", "0.20"),
    (5, "VAT", "0.21"),
    (6, "HST Ontario", "0.13"),
    (7, "Consumption Tax", "0.10"),
]
RATES = {key: Decimal(rate) for key, _, rate in TAX_REGIONS}
REGION_NAMES = {key: name for key, name, _ in TAX_REGIONS}
TERMS = [(1, "Net 30", 30), (2, "Net 14", 14), (3, "Due on receipt", 0), (4, "Net 60", 60)]
TERM_DAYS = {key: days for key, _, days in TERMS}

PICKLISTS: dict[tuple[str, str], list[tuple[int, str]]] = {
    ("Companies", "companyType"): [
        (1, "Customer"),
        (2, "Lead"),
        (3, "Prospect"),
        (4, "Dead"),
        (6, "Cancelation"),
        (7, "Vendor"),
        (8, "Partner"),
        (203, "Co-managed IT"),
    ],
    ("Companies", "classification"): [(201, "Platinum"), (202, "Gold"), (203, "Silver"), (204, "Break-fix")],
    ("Companies", "territoryID"): [
        (29682778, "North"),
        (29682779, "Coast"),
        (29682780, "Midlands"),
        (29682781, "Remote"),
    ],
    ("Companies", "marketSegmentID"): [
        (29683451, "Healthcare"),
        (29683452, "Legal"),
        (29683453, "Manufacturing"),
        (29683454, "Retail"),
        (29683455, "Non-profit"),
        (29683456, "Professional services"),
    ],
    ("Companies", "competitorID"): [(29682901, "In-house IT"), (29682902, "Bluefin Networks")],
    ("Companies", "invoiceMethod"): [(1, "One invoice"), (2, "One per contract"), (3, "One per project")],
    ("Companies", "billToAddressToUse"): [(1, "Company address"), (2, "Bill-to address")],
    ("Contacts", "namePrefix"): [(1, "Mr."), (2, "Mrs."), (3, "Ms."), (4, "Dr."), (5, "Mx.")],
    ("Contacts", "nameSuffix"): [(1, "Jr."), (2, "Sr."), (3, "II")],
    ("Invoices", "paymentTerm"): [(key, name) for key, name, _ in TERMS],
    ("Invoices", "taxGroup"): [(key, name) for key, name, _ in TAX_REGIONS],
    ("Invoices", "invoiceStatus"): [(1, "Processed")],
    ("BillingItems", "billingItemType"): [
        (1, "Labor"),
        (2, "Project Charge"),
        (3, "Ticket Charge"),
        (4, "Expense"),
        (5, "Subscription"),
        (6, "Recurring Service"),
        (7, "Recurring Service Bundle"),
        (8, "Milestone"),
    ],
    ("BillingItems", "subType"): [
        (1, "Labor"),
        (2, "Cost"),
        (3, "Charge"),
        (4, "Service"),
        (5, "Adjustment"),
    ],
    ("InvoiceTemplates", "dateFormat"): [(1, "MM/dd/yyyy"), (2, "dd/MM/yyyy"), (3, "yyyy-MM-dd")],
    ("InvoiceTemplates", "groupBy"): [(1, "No grouping"), (2, "Contract"), (3, "Item type")],
    ("InvoiceTemplates", "itemizeItemsInEachGroup"): [(1, "Itemize"), (2, "Summarize")],
    ("InvoiceTemplates", "numberFormat"): [(1, "X,XXX.XX"), (2, "X.XXX,XX")],
    ("InvoiceTemplates", "pageLayout"): [(1, "Letter"), (2, "A4")],
    ("InvoiceTemplates", "pageNumberFormat"): [(1, "Page X of Y"), (2, "None")],
    ("InvoiceTemplates", "sortBy"): [(1, "Date"), (2, "Item")],
    ("InvoiceTemplates", "timeFormat"): [(1, "hh:mm a"), (2, "HH:mm")],
    ("Currencies", "displaySymbol"): [(1, "Symbol"), (2, "Code")],
    ("AdditionalInvoiceFieldValues", "additionalInvoiceFieldID"): [(1, "Campaign"), (2, "Delivery note")],
}

UDFS = {
    "Companies": [("Accounting Reference", "String", None), ("SLA", "List", ["Gold", "Silver", "None"])],
    "Contacts": [("Receives Invoices", "List", ["Yes", "No"]), ("Preferred Language", "String", None)],
}


def sow(world: World) -> None:
    """Fills the tables that hardly ever change."""
    world.db.picklists.update(PICKLISTS)
    for entity, rows in _rows().items():
        world.db[entity].load(whole_row(ENTITIES[entity], row) for row in rows)
    number = 0
    for entity, definitions in UDFS.items():
        for name, kind, choices in definitions:
            number += 1
            world.db.udf_definitions[entity].append(_udf(name, kind, choices))
            values = _udf_row(number, name, entity, kind)
            world.db["UserDefinedFieldDefinitions"].load([whole_row(_UDF_ENTITY, values)])


_UDF_ENTITY = ENTITIES["UserDefinedFieldDefinitions"]


def _rows() -> dict[str, list[dict[str, Any]]]:
    return {
        "Currencies": [_currency(*one) for one in CURRENCIES],
        "TaxRegions": [{"id": key, "name": name, "isActive": True} for key, name, _ in TAX_REGIONS],
        "PaymentTerms": [
            {"id": key, "name": name, "paymentDueInDays": days, "isActive": True, "description": ""}
            for key, name, days in TERMS
        ],
        "InvoiceTemplates": [_template(101, "Standard", 1), _template(102, "Detailed, A4", 2)],
    }


def _currency(key: int, name: str, description: str, rate: str, form: str) -> dict[str, Any]:
    return {
        "id": key,
        "name": name,
        "description": description,
        "exchangeRate": Decimal(rate),
        "currencyPositiveFormat": form[:10],
        "currencyNegativeFormat": f"-{form}"[:10],
        "displaySymbol": 1,
        "isActive": True,
        "isInternalCurrency": key == 1,
        "lastModifiedDateTime": "2025-01-01T00:00:00",
        "updateResourceId": OWNER,
    }


def _template(key: int, name: str, layout: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        one.name: False if one.type == "boolean" else 1
        for one in ENTITIES["InvoiceTemplates"].fields.values()
        if one.type in ("boolean", "integer")
    }
    labels = {"nonBillableLaborLabel": "No charge", "rateCostExpression": "n/a"}
    formats = {"currencyPositiveFormat": "$X,XXX.XX", "currencyNegativeFormat": "-$X,XXX.XX"}
    covered = {
        "coveredByBlockRetainerContractLabel": "Covered by block hours",
        "coveredByRecurringServiceFixedPricePerTicketContractLabel": "Covered by contract",
    }
    return {**values, **labels, **formats, **covered, "id": key, "name": name, "pageLayout": layout}


def _udf(name: str, kind: str, choices: list[str] | None) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": "string",
        "length": 255,
        "description": "",
        "isRequired": False,
        "isReadOnly": False,
        "isQueryable": True,
        "isReference": False,
        "referenceEntityType": "",
        "isPickList": kind == "List",
        "picklistValues": None
        if choices is None
        else [_udf_choice(at, text) for at, text in enumerate(choices)],
        "picklistParentValueField": "",
        "defaultValue": "",
        "isSupportedWebhookField": False,
    }


def _udf_choice(at: int, text: str) -> dict[str, Any]:
    return {
        "value": text,
        "label": text,
        "isDefaultValue": at == 0,
        "sortOrder": at + 1,
        "parentValue": "",
        "isActive": True,
        "isSystem": False,
    }


def _udf_row(key: int, name: str, entity: str, kind: str) -> dict[str, Any]:
    return {
        "id": key,
        "name": name,
        "description": "",
        "createDate": "2025-01-01T00:00:00",
        "dataType": 3 if kind == "List" else 1,
        "udfType": 1 if entity == "Companies" else 2,
        "isActive": True,
        "isRequired": False,
        "isPrivate": False,
        "isProtected": False,
        "isEncrypted": False,
        "isFieldMapping": False,
        "isVisibleToClientPortal": False,
        "sortOrder": key,
        "numberOfDecimalPlaces": 0,
    }
