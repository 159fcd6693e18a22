"""Autotask's rows in our names: Decimal, dates, clean text. A bad row raises BadRecord.

Every record has "flags", a list of what was noticed and mended on the way, in plain words.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any

from portal import money
from portal.autotask.errors import BadRecord
from portal.autotask.paging import id_of
from portal.autotask.values import (
    Flags,
    Row,
    Unusable,
    amount,
    day,
    decisive_day,
    identity,
    instant,
    measure,
    needed_day,
    needed_text,
    needed_yes,
    positive_id,
    prose,
    text,
    whole,
    yes,
)

Record = dict[str, Any]

# fmt: off
COMPANY_FIELDS = [
    "id", "companyName", "companyNumber", "isActive", "companyType", "classification",
    "territoryID", "marketSegmentID", "currencyID", "phone", "address1", "address2", "city",
    "state", "postalCode", "isTaxExempt", "lastTrackedModifiedDateTime",
]
CONTACT_FIELDS = [
    "id", "companyID", "firstName", "lastName", "emailAddress", "isActive", "billingContact",
    "primaryContact", "userDefinedFields", "lastModifiedDate",
]
INVOICE_FIELDS = [
    "id", "invoiceNumber", "companyID", "invoiceDateTime", "dueDate", "invoiceTotal",
    "totalTaxValue", "paidDate", "isVoided", "voidedDate", "createDateTime", "fromDate", "toDate",
    "orderNumber", "comments", "taxRegionName", "paymentTerm",
]
LINE_FIELDS = [
    "id", "invoiceID", "companyID", "itemName", "description", "quantity", "rate", "extendedPrice",
    "taxDollars", "totalAmount", "itemDate", "postedDate", "billingItemType", "sortOrderID",
    "nonBillable",
]
# fmt: on


def _rows_of(entity: str) -> Callable[[Callable[[Row, Flags], Record]], Callable[[Any], Record]]:
    """Turns what spoils a row into BadRecord with the entity and the row's id."""

    def around(read: Callable[[Row, Flags], Record]) -> Callable[[Any], Record]:
        @wraps(read)
        def record(item: Any) -> Record:
            if type(item) is not dict:
                raise BadRecord(entity, None, "row", item, "is not a record")
            try:
                return read(item, [])
            except Unusable as error:
                raise BadRecord(entity, id_of(item), error.field, error.value, error.reason) from None

        return record

    return around


@_rows_of("Companies")
def company(item: Row, flags: Flags) -> Record:
    """A customer. Ids may be 0: the partner's own company."""
    return {
        "autotask_id": identity(item, "id"),
        "name": needed_text(item, "companyName", 100, flags),
        "number": text(item, "companyNumber", 50, flags) or None,
        "active": needed_yes(item, "isActive"),
        "company_type": whole(item, "companyType", flags),
        "classification": whole(item, "classification", flags),
        "territory_id": whole(item, "territoryID", flags),
        "market_segment_id": whole(item, "marketSegmentID", flags),
        "currency_autotask_id": positive_id(item, "currencyID"),
        "phone": text(item, "phone", 25, flags),
        "email": None,  # Autotask companies have none; contacts do
        "address1": text(item, "address1", 128, flags),
        "address2": text(item, "address2", 128, flags),
        "city": text(item, "city", 50, flags),
        "state": text(item, "state", 128, flags),
        "postal_code": text(item, "postalCode", 50, flags),
        "tax_exempt": yes(item, "isTaxExempt"),
        "modified_at": instant(item, "lastTrackedModifiedDateTime", flags),
        "flags": flags,
    }


@_rows_of("Contacts")
def contact(item: Row, flags: Flags) -> Record:
    """A contact. `user_defined` maps names to values, both text."""
    return {
        "autotask_id": identity(item, "id"),
        "company_autotask_id": identity(item, "companyID"),
        "first_name": text(item, "firstName", 50, flags),
        "last_name": text(item, "lastName", 50, flags),
        "email": text(item, "emailAddress", 254, flags),
        "active": needed_yes(item, "isActive"),
        "billing": yes(item, "billingContact"),
        "primary": yes(item, "primaryContact"),
        "user_defined": _user_defined(item, flags),
        "modified_at": instant(item, "lastModifiedDate", flags),
        "flags": flags,
    }


@_rows_of("Invoices")
def invoice(item: Row, flags: Flags) -> Record:
    """An invoice, without its currency: that is its company's."""
    voided_on = day(item, "voidedDate", flags)
    return {
        "autotask_id": identity(item, "id"),
        "number_raw": text(item, "invoiceNumber", 100, flags) or None,
        "company_autotask_id": identity(item, "companyID"),
        "issued_on": needed_day(item, "invoiceDateTime", flags),
        "due_on": day(item, "dueDate", flags),
        "total_raw": amount(item, "invoiceTotal", flags),
        "tax_raw": _tax(item, flags),
        "paid_on": decisive_day(item, "paidDate", flags),
        "is_voided": voided_on is not None or _voided(item, flags),
        "voided_on": voided_on,
        "created_at": instant(item, "createDateTime", flags),
        "from_on": day(item, "fromDate", flags),
        "to_on": day(item, "toDate", flags),
        "order_number": text(item, "orderNumber", 20, flags),
        "comments": prose(item, "comments", 4000, flags),
        "tax_region": text(item, "taxRegionName", 200, flags),
        "payment_term": whole(item, "paymentTerm", flags),
        "flags": flags,
    }


@_rows_of("BillingItems")
def line(item: Row, flags: Flags) -> Record:
    """One line of an invoice, in the customer's currency; no `invoice_autotask_id` while not invoiced."""
    return {
        "autotask_id": identity(item, "id"),
        "invoice_autotask_id": positive_id(item, "invoiceID"),
        "company_autotask_id": identity(item, "companyID"),
        "name": text(item, "itemName", 255, flags),
        "description": prose(item, "description", 2000, flags),
        "quantity": measure(item, "quantity", flags),
        "rate": measure(item, "rate", flags),
        "price_raw": amount(item, "extendedPrice", flags),
        "tax_raw": _line_tax(item, flags),
        "total_raw": amount(item, "totalAmount", flags),
        "item_on": day(item, "itemDate", flags),
        "posted_on": day(item, "postedDate", flags),
        "item_type": whole(item, "billingItemType", flags),
        "sort_order": whole(item, "sortOrderID", flags),
        "non_billable": yes(item, "nonBillable"),
        "flags": flags,
    }


@_rows_of("Currencies")
def currency(item: Row, flags: Flags) -> Record:
    """A currency; `code` is Autotask's name of it, like "EUR"."""
    return {
        "autotask_id": identity(item, "id"),
        "code": needed_text(item, "name", 50, flags).upper(),
        "description": text(item, "description", 100, flags),
        "active": yes(item, "isActive"),
        "internal": yes(item, "isInternalCurrency"),
        "flags": flags,
    }


def _tax(item: Row, flags: Flags) -> Decimal:
    """Null is no tax only while no tax region is named; otherwise a lost value would change what is owed."""
    if item.get("totalTaxValue") is None and "totalTaxValue" in item and not item.get("taxRegionName"):
        flags.append("totalTaxValue is not given")
        return money.ZERO
    return amount(item, "totalTaxValue", flags)


def _line_tax(item: Row, flags: Flags) -> Decimal:
    if item.get("taxDollars") is None and "taxDollars" in item:
        flags.append("taxDollars is not given")
        return money.ZERO
    return amount(item, "taxDollars", flags)


def _voided(item: Row, flags: Flags) -> bool:
    if item.get("isVoided") is None and "isVoided" in item:
        flags.append("isVoided is not given")
        return False
    return needed_yes(item, "isVoided")


def _user_defined(item: Row, flags: Flags) -> dict[str, str]:
    listed = item.get("userDefinedFields") or []
    if not isinstance(listed, list):
        flags.append("userDefinedFields is not a list")
        return {}
    found = {}
    for pair in listed:
        if isinstance(pair, dict) and pair.get("name") and pair.get("value") is not None:
            found[text(pair, "name", 255, flags)] = prose(pair, "value", 8000, flags)
    return found
