"""What a managed service provider bills for, and ready-made lines of it.

A line is the shape of its catalogue item and a tuple of amounts, so that 400,000 of them are made in seconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.schema import ENTITIES, amount
from sandbox.seed.reference import CURRENCIES, RATES
from sandbox.store.rows import Shape

LABOR, CHARGE, EXPENSE, SUBSCRIPTION, SERVICE = 1, 3, 4, 5, 6
KEYS = ("id", "companyID", "invoiceID", "itemDate", "postedDate", "postedOnTime", "sortOrderID")
AMOUNTS = (
    "quantity",
    "rate",
    "extendedPrice",
    "taxDollars",
    "totalAmount",
    "ourCost",
    "internalCurrencyRate",
    "internalCurrencyExtendedPrice",
    "internalCurrencyTaxDollars",
    "internalCurrencyTotalAmount",
)
EXCHANGE = {key: Decimal(rate) for key, _, _, rate, _ in CURRENCIES}


@dataclass(frozen=True)
class Item:
    """One thing on the price list: name, billing item type, prices in US dollars, quantities."""

    name: str
    text: str
    kind: int
    prices: tuple[str, ...]
    quantities: tuple[str, ...]


SEATS = ("3", "5", "8", "12", "17", "25", "40", "86")
ONE = ("1",)
HOURS = ("0.25", "0.5", "0.75", "1", "1.5", "2.25", "3", "4.75", "7.5")
RECURRING = [
    Item(
        "Managed workstation", "Monitoring, patching and helpdesk per device", SERVICE, ("48", "52.5"), SEATS
    ),
    Item(
        "Managed server",
        "Monitoring, patching and backup checks per server",
        SERVICE,
        ("165", "189.95"),
        ("1", "2", "4"),
    ),
    Item(
        "Microsoft 365 Business Premium", "Licence per user and month", SUBSCRIPTION, ("22", "21.4375"), SEATS
    ),
    Item("Microsoft 365 Business Basic", "Licence per user and month", SUBSCRIPTION, ("6", "5.85"), SEATS),
    Item("Endpoint protection", "Detection and response per device", SERVICE, ("7.25", "6.9166"), SEATS),
    Item("Cloud backup", "Per terabyte stored", SERVICE, ("39.3333", "42"), ("1", "2", "3.5", "6")),
    Item("E-mail security", "Filtering per mailbox", SERVICE, ("3.1250", "3.5"), SEATS),
    Item("Hosted telephony", "Per extension", SERVICE, ("19.99", "24.5"), SEATS),
    Item("Firewall as a service", "Managed appliance with subscription", SERVICE, ("129", "210"), ONE),
    Item("Security awareness training", "Per user", SERVICE, ("2.75",), SEATS),
]
VARIABLE = [
    Item("Remote support", "Helpdesk work outside the agreement", LABOR, ("135", "148.5"), HOURS),
    Item("On-site engineer", "Work at the customer's office", LABOR, ("165", "172.3333"), HOURS),
    Item("After-hours labor", "Work outside office hours", LABOR, ("247.5",), HOURS),
    Item("Project management", "Planning and coordination", LABOR, ("155",), HOURS),
    Item(
        "Laptop 14 inch",
        "Business notebook, three years on-site",
        CHARGE,
        ("1189", "1249.99"),
        ("1", "2", "5"),
    ),
    Item("Docking station", "USB-C", CHARGE, ("219",), ("1", "2", "5")),
    Item("Access point", "Wi-Fi 7, ceiling mount", CHARGE, ("312.4", "298"), ("1", "3")),
    Item("48-port switch", "Managed, PoE+", CHARGE, ("1480",), ONE),
    Item("Solid state drive 2 TB", "Replacement", CHARGE, ("168.8750",), ("1", "2")),
    Item("Travel", "Mileage", EXPENSE, ("0.6700",), ("18", "42", "63.4")),
    Item(
        "Partial month of new seats",
        "Prorated from the day of order",
        SUBSCRIPTION,
        ("7.0967", "15.4839"),
        ("1", "3", "7"),
    ),
]
DISCOUNT = Item("Service credit", "Agreed with account manager", CHARGE, ("-48", "-120", "-262.5"), ONE)
COVERED = Item("Remote support, covered by agreement", "No charge", LABOR, ("0",), HOURS)


@dataclass(frozen=True)
class Line:
    """A ready-made line: its shape, its amounts in the order of AMOUNTS, and what it adds to the invoice."""

    shape: Shape
    amounts: tuple[Any, ...]
    net: Decimal
    tax: Decimal


class Catalogue:
    """Lines by item, currency and tax region; made when first asked for, the same for the same draw."""

    def __init__(self) -> None:
        self._shapes: dict[str, Shape] = {}
        self._lines: dict[tuple[str, str, str, int, int], Line] = {}

    def line(self, draw: random.Random, item: Item, currency: int, region: int) -> Line:
        price, quantity = draw.choice(item.prices), draw.choice(item.quantities)
        key = (item.name, price, quantity, currency, region)
        found = self._lines.get(key)
        if found is None:
            found = self._lines[key] = self._made(item, price, quantity, currency, region)
        return found

    def _shape(self, item: Item) -> Shape:
        shape = self._shapes.get(item.name)
        if shape is None:
            common = {
                "itemName": item.name,
                "description": item.text,
                "billingItemType": item.kind,
                "subType": {LABOR: 1, CHARGE: 3, EXPENSE: 2}.get(item.kind, 4),
                "nonBillable": int(item is COVERED),
                "lineItemFullDescription": f"{item.name}: {item.text}",
                "lineItemGroupDescription": item.name,
                "purchaseOrderNumber": "",
            }
            shape = self._shapes[item.name] = Shape(ENTITIES["BillingItems"], KEYS + AMOUNTS, common)
        return shape

    def _made(self, item: Item, price: str, quantity: str, currency: int, region: int) -> Line:
        exchange = EXCHANGE[currency]
        rate = Decimal(price).quantize(Decimal("0.0001"))
        if currency != 1:
            rate = amount(rate / exchange)
        if currency == 5:
            rate = rate.quantize(Decimal(1))
        many = Decimal(quantity)
        net = amount(many * rate)
        tax = amount(net * RATES[region])
        cost = amount(net * Decimal("0.62"))
        home = [amount(one * exchange) for one in (rate, net, tax, net + tax)]
        return Line(self._shape(item), (many, rate, net, tax, net + tax, cost, *home), net, tax)
