"""Companies, their contacts and locations."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.schema import ENTITIES
from sandbox.seed import names
from sandbox.seed.reference import OWNER, PICKLISTS
from sandbox.store.rows import whole_row
from sandbox.world import World

OWN_NAME = "Tidewater Managed IT"
FIRST_ID = 174
CUSTOMER, PROSPECT, VENDOR = 1, 3, 7
SEGMENTS = {label: key for key, label in PICKLISTS[("Companies", "marketSegmentID")]}
# City to currency and tax region.
MONEY = {
    "Leeds": (3, 4),
    "Bristol": (3, 4),
    "Utrecht": (2, 5),
    "Toronto": (4, 6),
    "Osaka": (5, 7),
    "Portland": (1, 1),
}
STATES = {"NY": 2, "CA": 3}
# Most customers are at home; these are abroad in any case, so that every currency occurs.
WEIGHTS = [1 if city in MONEY and MONEY[city][0] != 1 else 4 for city, _, _ in names.CITIES]
ABROAD = {5: "Utrecht", 8: "Leeds", 11: "Toronto", 14: "Osaka"}
PLACES = {city: (city, state, postal) for city, state, postal in names.CITIES}


@dataclass(frozen=True)
class Customer:
    """What the invoices need to know of a customer."""

    id: int
    currency: int
    region: int
    term: int
    pays_late: bool


def sow(world: World, draw: random.Random, customers: int, today: date) -> list[Customer]:
    """Makes the partner's own company (id 0), customers, vendors, prospects; gives the customers."""
    rows = [_own(today)]
    made: list[Customer] = []
    others = max(3, customers // 12)
    for at in range(customers):
        rows.append(_customer(draw, at, FIRST_ID + at, today))
        made.append(_as_customer(draw, rows[-1]))
    for at in range(others):
        rows.append(_other(draw, at, FIRST_ID + customers + at, today))
    world.db["Companies"].load(whole_row(ENTITIES["Companies"], row) for row in rows)
    world.db["Contacts"].load(_contacts(draw, rows[1:], today))
    world.db["CompanyLocations"].load(_locations(rows))
    return made


def _base(key: int, name: str, draw: random.Random, today: date, where: str = "") -> dict[str, Any]:
    drawn = draw.choices(names.CITIES, WEIGHTS)[0]
    city, state, postal = PLACES.get(where, drawn)
    currency, region = MONEY.get(city, (1, STATES.get(state, 1)))
    created = today - timedelta(days=draw.randrange(400, 2400))
    modified = today - timedelta(days=draw.randrange(1, 300), hours=0)
    return {
        "id": key,
        "companyName": name,
        "companyNumber": f"C{key:05d}" if draw.random() < 0.8 else "",
        "companyType": CUSTOMER,
        "ownerResourceID": OWNER,
        "phone": f"+1 555 {draw.randrange(1000, 9999)}",
        "address1": f"{draw.randrange(1, 400)} {draw.choice(names.STREETS)}",
        "city": city,
        "state": state,
        "postalCode": postal,
        "currencyID": currency,
        "taxRegionID": region,
        "isActive": True,
        "isTaxExempt": False,
        "createDate": f"{created}T{draw.randrange(8, 18):02d}:{draw.randrange(60):02d}:12",
        "lastTrackedModifiedDateTime": f"{modified}T{draw.randrange(8, 18):02d}:{draw.randrange(60):02d}:31.2",
        "lastActivityDate": f"{modified}T09:15:00",
        "invoiceMethod": 1,
        "invoiceTemplateID": 101,
        "billToAddressToUse": 1,
        "isClientPortalActive": False,
        "isTaskFireActive": False,
        "isSample": False,
        "isEnabledForComanaged": False,
        "invoiceNonContractItemsToParentCompany": False,
        "createdByResourceID": OWNER,
        "userDefinedFields": [
            ("Accounting Reference", f"ACC-{key}"),
            ("SLA", draw.choice(["Gold", "Silver", "None"])),
        ],
    }


def _own(today: date) -> dict[str, Any]:
    own = _base(0, OWN_NAME, random.Random(0), today)
    return {
        **own,
        "currencyID": 1,
        "taxRegionID": 2,
        "companyNumber": "",
        "webAddress": "https://tidewater.example",
    }


def _customer(draw: random.Random, at: int, key: int, today: date) -> dict[str, Any]:
    trade, segment = draw.choice(names.TRADES)
    row = _base(key, _name(draw, at, trade), draw, today, ABROAD.get(at, ""))
    row["marketSegmentID"] = SEGMENTS[segment] if draw.random() < 0.9 else None
    row["classification"] = draw.choice([201, 202, 203, 204, None])
    row["territoryID"] = draw.choice([29682778, 29682779, 29682780, 29682781, None])
    row["webAddress"] = f"https://www.{domain(row['companyName'], key)}"
    row["isActive"] = at % 17 != 16
    row["isTaxExempt"] = segment == "Non-profit"
    if row["isTaxExempt"]:
        row["taxRegionID"] = 1
    if at and draw.random() < 0.04:
        row["parentCompanyID"] = FIRST_ID + draw.randrange(at)
    return row


def _name(draw: random.Random, at: int, trade: str) -> str:
    if at % 9 == 4:
        return names.ODD[(at // 9) % len(names.ODD)][:100]
    first = draw.choice(names.PLACES if draw.random() < 0.5 else names.FOUNDERS)
    return f"{first} {trade}{draw.choice(names.SUFFIXES)}"


def _other(draw: random.Random, at: int, key: int, today: date) -> dict[str, Any]:
    if at % 2 == 0:
        name = names.VENDORS[(at // 2) % len(names.VENDORS)]
        return {**_base(key, name, draw, today), "companyType": VENDOR}
    name = f"{draw.choice(names.PLACES)} {draw.choice(names.TRADES)[0]}"
    return {**_base(key, name, draw, today), "companyType": PROSPECT}


def _as_customer(draw: random.Random, row: dict[str, Any]) -> Customer:
    term = draw.choices([1, 2, 3, 4], [60, 22, 10, 8])[0]
    return Customer(row["id"], row["currencyID"], row["taxRegionID"], term, draw.random() < 0.15)


def domain(name: str, key: int) -> str:
    """An invented mail domain below .example."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{words or f'company-{key}'}.example"


def _contacts(draw: random.Random, companies: list[dict[str, Any]], today: date) -> Any:
    key = 30_000
    for company in companies:
        for at in range(draw.choice([1, 1, 2, 2, 3, 4])):
            key += 1
            yield whole_row(ENTITIES["Contacts"], _contact(draw, key, at, company, today))


def _contact(draw: random.Random, key: int, at: int, company: dict[str, Any], today: date) -> dict[str, Any]:
    first, last = draw.choice(names.FIRST), draw.choice(names.FOUNDERS)
    mail = domain(company["companyName"], company["id"])
    modified = today - timedelta(days=draw.randrange(1, 500))
    local = re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", f"{first}{last}").lower())
    return {
        "id": key,
        "companyID": company["id"],
        "firstName": first,
        "lastName": last,
        "title": draw.choice(names.TITLES),
        "emailAddress": f"accounts@{mail}" if at == 0 and draw.random() < 0.5 else f"{local}@{mail}",
        "phone": company["phone"],
        "extension": "",
        "isActive": int(draw.random() < 0.93),
        "primaryContact": at == 0,
        "billingContact": at == 0 or draw.random() < 0.2,
        "receivesEmailNotifications": True,
        "isOptedOutFromBulkEmail": False,
        "solicitationOptOut": False,
        "surveyOptOut": False,
        "addressLine": company["address1"],
        "city": company["city"],
        "state": company["state"],
        "zipCode": company["postalCode"],
        "createDate": company["createDate"],
        "lastActivityDate": f"{modified}T10:30:00",
        "lastModifiedDate": f"{modified}T{draw.randrange(8, 18):02d}:12:44.9",
        "userDefinedFields": [
            ("Receives Invoices", draw.choice(["Yes", "No"])),
            ("Preferred Language", draw.choice(["English", "English", "Dutch", None])),
        ],
    }


def _locations(companies: list[dict[str, Any]]) -> Any:
    for at, company in enumerate(companies):
        values = {
            name: company[name]
            for name in ("address1", "city", "state", "postalCode", "phone", "taxRegionID")
        }
        own = {"id": 500 + at, "companyID": company["id"], "name": "Main office"}
        flags = {
            "isActive": True,
            "isPrimary": True,
            "isTaxExempt": False,
            "overrideCompanyTaxSettings": False,
        }
        yield whole_row(ENTITIES["CompanyLocations"], {**values, **own, **flags})
