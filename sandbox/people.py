"""What people do in Autotask's own pages, and how the API's writes reach the tables.

Every action gives the `Change` it made, which ends up in the request log or the list of people's changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import instants
from sandbox.requestlog import Change
from sandbox.schema import ENTITIES, Field, amount
from sandbox.store.rows import Row, whole_row

if TYPE_CHECKING:
    from sandbox.world import World

STAMPS = {"Companies": "lastTrackedModifiedDateTime", "Contacts": "lastModifiedDate"}
TRACKED = frozenset(
    [
        "companyName",
        "companyNumber",
        "companyType",
        "classification",
        "isActive",
        "ownerResourceID",
        "phone",
        "parentCompanyID",
    ]
)
CREATED = {"Companies": "createDate", "Contacts": "createDate", "Invoices": "createDateTime"}
ZERO = Decimal("0.0000")


class People:
    """The verbs of the Autotask side. All of them hold the database's lock while they work."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: list[Callable[[Change], None]] = []

    def _table(self, entity: str) -> Any:
        return self.world.db[entity]

    def _now(self) -> str:
        return instants.stored(self.world.clock.now()) or ""

    def _made(self, change: Change) -> Change:
        for listener in self.listeners:
            listener(change)
        return change

    def create(self, entity: str, values: dict[str, Any]) -> Change:
        """Adds a record with an unused id, unless `values` names one. Values are of stored types."""
        with self.world.db.lock:
            table = self._table(entity)
            key = values.get("id")
            key = table.next_id() if key is None else key
            if self.world.switches.fresh_404:
                self.world.fresh[entity, key] = self.world.switches.fresh_404
            stamps = {name: self._now() for name in (STAMPS.get(entity), CREATED.get(entity)) if name}
            table.put(
                whole_row(ENTITIES[entity], {**_DEFAULTS.get(entity, {}), **stamps, **values, "id": key})
            )
        shown = {name: (None, value) for name, value in values.items() if value is not None and name != "id"}
        return self._made(Change(entity, key, "created", shown))

    def change(self, entity: str, key: int, values: dict[str, Any]) -> list[Change]:
        """Changes fields of a record; gives nothing when nothing differs. Raises KeyError if it is gone."""
        with self.world.db.lock:
            table = self._table(entity)
            row = table.rows[key]
            values = _merged(row, values)
            differing = {name: (row.get(name), new) for name, new in values.items() if row.get(name) != new}
            if not differing:
                return []
            if entity in STAMPS and self._is_stamped(entity, differing):
                values.setdefault(STAMPS[entity], self._now())
            table.put(row.replaced(values))
        return [self._made(Change(entity, key, "changed", differing))]

    def _is_stamped(self, entity: str, differing: dict[str, Any]) -> bool:
        """Which changes of a company move its stamp is a switch; a contact's always do."""
        some = entity == "Companies" and self.world.switches.tracked_changes == "some"
        return not some or bool(TRACKED & differing.keys())

    def remove(self, entity: str, key: int) -> Change:
        """Takes a record out, for good. Raises KeyError if it is gone."""
        with self.world.db.lock:
            if self._table(entity).remove(key) is None:
                raise KeyError(key)
        return self._made(Change(entity, key, "removed"))

    def add_company(self, **fields: Any) -> int:
        """A new company; every Autotask field can be named. Gives its id."""
        with self.world.db.lock:
            given = self.stored("Companies", fields)
            number = len(self._table("Companies").ids) + 1
            given.setdefault("companyName", f"Customer {number}")
            given.setdefault("currencyID", next(iter(self._table("Currencies").ids), None))
            return self.create("Companies", given).id

    def add_contact(self, **fields: Any) -> int:
        """A new contact of `companyID`. Gives its id."""
        return self.create("Contacts", self.stored("Contacts", fields)).id

    def add_invoice(self, lines: list[dict[str, Any]] | None = None, **fields: Any) -> int:
        """A new invoice of `companyID`; its total and tax are the sum of its lines unless they are named."""
        with self.world.db.lock:
            given = self.stored("Invoices", fields)
            today = instants.stored_date(self.world.clock.now())
            given.setdefault("invoiceDateTime", today)
            due = self.world.clock.now() + timedelta(days=30)
            given.setdefault("dueDate", instants.stored_date(due))
            key = self.create("Invoices", given).id
            for line in lines or ():
                self._add_line({"invoiceID": key, "companyID": given.get("companyID"), **line})
            if lines:
                self._total(key, {"invoiceTotal", "totalTaxValue"} - given.keys())
            return key

    def add_line(self, **fields: Any) -> int:
        """A new billing item; an invoice it belongs to gets the new total. Gives its id."""
        with self.world.db.lock:
            key = self._add_line(fields)
            self._total(self._table("BillingItems").rows[key].get("invoiceID"))
            return key

    def _add_line(self, fields: dict[str, Any]) -> int:
        given = self.stored("BillingItems", fields)
        quantity = given.setdefault("quantity", amount(1))
        rate = given.setdefault("rate", given.get("extendedPrice", ZERO))
        price = given.setdefault("extendedPrice", amount(quantity * rate))
        tax = given.setdefault("taxDollars", ZERO)
        given.setdefault("totalAmount", price + tax)
        given.setdefault("invoiceID", self.world.no_invoice)
        if given.get("companyID") is None and given["invoiceID"]:
            given["companyID"] = self._table("Invoices").rows[given["invoiceID"]].get("companyID")
        return self.create("BillingItems", given).id

    def remove_line(self, key: int) -> Change:
        """Un-posts a line: the billing item is gone and its invoice's total is less by it."""
        with self.world.db.lock:
            row = self._table("BillingItems").rows[key]
            change = self.remove("BillingItems", key)
            self._total(row.get("invoiceID"))
            return change

    def _total(self, invoice: int | None, which: set[str] | None = None) -> None:
        table = self._table("Invoices")
        if invoice is None or invoice not in table.rows:
            return
        sums = self.totals(self.lines(invoice))
        wanted = {name: value for name, value in sums.items() if which is None or name in which}
        self.change("Invoices", invoice, wanted)

    def lines(self, invoice: int) -> list[Row]:
        """The billing items of an invoice, ascending by id."""
        table = self._table("BillingItems")
        return [table.rows[key] for key in table.ids_where("invoiceID", invoice)]

    def totals(self, lines: list[Row]) -> dict[str, Decimal]:
        """invoiceTotal and totalTaxValue of these lines, as the switch `totals` wants them."""
        net = sum((row.get("extendedPrice") or ZERO for row in lines), ZERO)
        tax = sum((row.get("taxDollars") or ZERO for row in lines), ZERO)
        whole = net + tax if self.world.switches.totals == "with_tax" else net
        return {"invoiceTotal": whole, "totalTaxValue": tax}

    def change_invoice(self, key: int, **fields: Any) -> list[Change]:
        """Changes any field of an invoice, writable by the API or not."""
        return self.change("Invoices", key, self.stored("Invoices", fields))

    def change_company(self, key: int, **fields: Any) -> list[Change]:
        return self.change("Companies", key, self.stored("Companies", fields))

    def change_contact(self, key: int, **fields: Any) -> list[Change]:
        return self.change("Contacts", key, self.stored("Contacts", fields))

    def void_invoice(self, key: int) -> list[Change]:
        """Voids an invoice; its lines and total follow the switches void_lines and void_total."""
        with self.world.db.lock:
            fields: dict[str, Any] = {
                "isVoided": True,
                "voidedDate": self._now(),
                "voidedByResourceID": 29682885,
            }
            if self.world.switches.void_total == "zero":
                fields |= {"invoiceTotal": ZERO, "totalTaxValue": ZERO}
            if self.world.switches.void_number == "cleared":
                fields["invoiceNumber"] = None
            made = self.change("Invoices", key, fields)
            if self.world.switches.void_lines == "release":
                for row in self.lines(key):
                    made += self.change("BillingItems", row.id, {"invoiceID": self.world.no_invoice})
            return made

    def remove_invoice(self, key: int) -> Change:
        """The invoice and its lines are gone without a trace."""
        with self.world.db.lock:
            for row in self.lines(key):
                self.remove("BillingItems", row.id)
            return self.remove("Invoices", key)

    def merge_companies(self, gone: int, into: int) -> list[Change]:
        """Deletes a company by merging it into another, which gets all that belonged to it."""
        with self.world.db.lock:
            if gone == into or into not in self._table("Companies").rows:
                raise KeyError(into)
            made = [self.remove("Companies", gone)]
            for entity in ("Contacts", "Invoices", "BillingItems", "CompanyLocations"):
                for key in list(self._table(entity).ids_where("companyID", gone)):
                    made += self.change(entity, key, {"companyID": into})
            return made

    def stored(self, entity: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields as a person gives them, in stored types. An unknown field raises ValueError."""
        return {name: _stored(entity, name, value) for name, value in fields.items()}


def _stored(entity: str, name: str, value: Any) -> Any:
    field: Field | None = ENTITIES[entity].fields.get(name)
    if field is None:
        raise ValueError(f"{entity} has no field {name}")
    if value is None:
        return None
    if field.type == "double":
        return amount(value)
    if field.type == "datetime":
        return instants.stored_date(value) if name == "paidDate" else instants.stored(value)
    if field.type in ("integer", "long"):
        return int(value)
    if field.type == "udf":
        return sorted(value.items()) if isinstance(value, dict) else [tuple(one) for one in value]
    return value


def _merged(row: Row, values: dict[str, Any]) -> dict[str, Any]:
    """User-defined fields not named keep their values."""
    given = values.get("userDefinedFields")
    if given is None:
        return {name: value for name, value in values.items() if name != "userDefinedFields"}
    held = dict(row.get("userDefinedFields") or ())
    return {**values, "userDefinedFields": list({**held, **dict(given)}.items())}


_DEFAULTS: dict[str, dict[str, Any]] = {
    "Companies": {
        "companyType": 1,
        "isActive": True,
        "ownerResourceID": 29682885,
        "phone": "+1 555 0100",
        "isTaxExempt": False,
        "userDefinedFields": [],
    },
    "Contacts": {
        "firstName": "Sam",
        "lastName": "Taylor",
        "isActive": 1,
        "primaryContact": False,
        "billingContact": False,
        "userDefinedFields": [],
    },
    "Invoices": {
        "isVoided": False,
        "invoiceTotal": ZERO,
        "totalTaxValue": ZERO,
        "invoiceStatus": 1,
        "orderNumber": "",
        "creatorResourceID": 29682885,
    },
    "BillingItems": {"nonBillable": 0, "billingItemType": 3, "subType": 3, "itemName": "Service"},
}
