"""What a column of a file can be, and the headings under which QuickBooks, Xero and spreadsheets have it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portal.models import ImportKind


@dataclass(frozen=True)
class Field:
    """`headings` are without blanks and signs, the likeliest first."""

    label: str
    headings: tuple[str, ...]
    help: str = ""


CUSTOMER = {
    "name": Field("Name", ("contactname", "customername", "customerfullname", "name", "displayname", "fullname",
        "customer", "companyname", "company", "client")),
    "external_id": Field("Number in your billing system", ("externalid", "customerid", "contactid", "clientid", "id"),
        "Without it the name says which customer is meant."),
    "number": Field("Customer number", ("accountnumber", "customernumber", "customerno", "accountno", "number", "no")),
    "currency": Field("Currency", ("currency", "currencycode", "defaultcurrency"),
        "Without it, your own currency."),
    "phone": Field("Phone", ("phone", "phonenumber", "phonenumbers", "mainphone", "telephone", "phone1", "mobile")),
    "street": Field("Address", ("address", "poaddressline1", "billingaddress", "billaddress", "billingstreet",
        "streetaddress", "street", "addressline1", "address1", "billto1")),
    "street2": Field("Address, second line", ("poaddressline2", "addressline2", "address2", "billto2")),
    "city": Field("City", ("city", "pocity", "billingcity", "town")),
    "region": Field("State or region", ("state", "poregion", "billingstate", "region", "province", "county")),
    "postal_code": Field("Postal code", ("zip", "popostalcode", "postalcode", "postcode", "zipcode", "billingzip")),
    "country": Field("Country", ("country", "pocountry", "billingcountry")),
    "tax_exempt": Field("Tax exempt", ("taxexempt", "exempt")),
    "active": Field("Active", ("active", "isactive", "activestatus")),
}  # fmt: skip
INVOICE = {
    "number": Field("Invoice number", ("invoicenumber", "invoiceno", "invoice#", "number", "num", "no", "docnumber",
        "documentnumber", "transactionnumber", "invoice")),
    "external_id": Field("Number in your billing system", ("externalid", "invoiceid", "id"),
        "Without it the invoice number says which invoice is meant."),
    "customer": Field("Customer", ("customer", "customername", "contactname", "customerid", "contact", "client",
        "clientname", "customerfullname", "name", "billto", "company", "companyname"),
        "Its number in your billing system, or its name."),
    "issued_on": Field("Invoice date", ("invoicedate", "issuedon", "issuedate", "date", "transactiondate", "txndate")),
    "due_on": Field("Due date", ("duedate", "dueon", "due")),
    "currency": Field("Currency", ("currency", "currencycode"), "Without it, the customer's."),
    "total": Field("Total with tax", ("total", "invoicetotal", "totalamount", "grandtotal", "gross", "totalinclvat",
        "totalincltax", "amount")),
    "tax": Field("Tax of the invoice", ("taxtotal", "totaltax", "invoicetax", "vat", "tax", "salestax", "taxamount")),
    "item": Field("Line: item", ("itemproductservice", "productservice", "productservicefullname", "inventoryitemcode", "item", "product",
        "itemcode", "sku", "itemname")),
    "description": Field("Line: description", ("itemdescription", "description", "linedescription",
        "productservicedescription", "memodescription")),
    "quantity": Field("Line: quantity", ("quantity", "qty", "itemquantity", "hours")),
    "rate": Field("Line: price of one", ("unitamount", "unitprice", "rate", "itemrate", "salesprice", "price")),
    "line_amount": Field("Line: amount", ("lineamount", "itemamount", "linetotal", "netamount", "extended", "amount")),
    "line_tax": Field("Line: tax", ("taxamount", "itemtaxamount", "linetax")),
    "line_date": Field("Line: date", ("servicedate", "linedate")),
    "order_number": Field("Order number", ("ponumber", "ordernumber", "purchaseorder", "po#", "po", "reference")),
    "comments": Field("Comments", ("memo", "comments", "comment", "message", "notes", "note", "customermemo")),
    "status": Field("Status", ("status", "invoicestatus", "voided", "state"), "“Voided” voids; drafts are refused."),
    "type": Field("Kind of row", ("type", "transactiontype", "documenttype"),
        "Invoices and credits are taken; other rows, such as payments, are refused."),
}  # fmt: skip
FIELDS: dict[ImportKind, dict[str, Field]] = {ImportKind.CUSTOMERS: CUSTOMER, ImportKind.INVOICES: INVOICE}
NEEDED = {ImportKind.CUSTOMERS: ("name",), ImportKind.INVOICES: ("number", "customer", "issued_on")}
OF_LINES = ("line_amount", "quantity", "rate", "line_tax", "line_date", "item", "description")
ONLY_LINES = {"line_amount", "line_tax"}
SAYS_LINES = {"item", "description", "quantity", "rate"}


def plain(heading: str) -> str:
    """A heading without case, blanks and signs; a sharp stands for a number."""
    return re.sub(r"[^a-z0-9#]+", "", heading.lower())


def recognized(kind: ImportKind, cells: Sequence[str]) -> int:
    """How many of these cells could be headings of this kind of file."""
    known = {heading for field in FIELDS[kind].values() for heading in field.headings}
    return len({plain(cell) for cell in cells} & known)


def guessed(kind: ImportKind, headings: Sequence[str]) -> dict[str, int]:
    """{field: its column}: each column is one field at most, the likeliest heading first."""
    places: dict[str, int] = {}
    for place, heading in enumerate(headings):
        places.setdefault(plain(heading), place)
    found: dict[str, int] = {}
    if kind == ImportKind.CUSTOMERS:
        _claim(CUSTOMER, places, found)
        return found
    head = {name: field for name, field in INVOICE.items() if name not in {*ONLY_LINES, "total", "tax"}}
    _claim(head, places, found)
    if {"item", "quantity", "rate"} & set(found) and "description" not in found and "memo" in places:
        found["description"] = places["memo"]  # in a report of lines each has its own
        found = {
            name: place for name, place in found.items() if (name, place) != ("comments", places["memo"])
        }
    money = ("line_amount", "line_tax", "total", "tax") if SAYS_LINES & set(found) else ("total", "tax")
    _claim({name: INVOICE[name] for name in money}, places, found)
    return found


def _claim(fields: Mapping[str, Field], places: Mapping[str, int], found: dict[str, int]) -> None:
    for name, field in fields.items():
        for heading in field.headings:
            if heading in places and places[heading] not in found.values():
                found[name] = places[heading]
                break
