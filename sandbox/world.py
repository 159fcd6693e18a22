"""Everything one sandbox knows: records, switches, clock, users, limits, faults and the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from sandbox.api.messages import Call
from sandbox.api.positions import Positions
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.holds import Holds
from sandbox.limits import Parallel, Usage
from sandbox.people import People
from sandbox.requestlog import RequestLog
from sandbox.store.rows import Row
from sandbox.store.tables import Database
from sandbox.switches import Switches
from sandbox.users import Users
from sandbox.wire.server import Server

FIRST_ZONE = 5


class Port(Protocol):
    """Where this Autotask listens: faults close it, and open others beside it."""

    server: Server

    def open_tls(self, certificate: str) -> tuple[str, Callable[[], None]]: ...


class World:
    """One Autotask. The wire, the control API and the page all work on this."""

    def __init__(self) -> None:
        self.db = Database()
        self.switches = Switches()
        self.clock = Clock()
        self.users = Users()
        self.usage = Usage(self.clock, self.switches)
        self.parallel = Parallel(self.switches)
        self.log = RequestLog()
        self.faults = Faults(self)
        self.people = People(self)
        self.positions = Positions()
        self.holds = Holds()
        self.zone = FIRST_ZONE
        self.stopped = threading.Event()
        self.hidden_companies: set[int] = set()
        self.port: Port | None = None
        self.fresh: dict[tuple[str, int], int] = {}
        self.switches.when_changed("totals", self._retotal)
        self.switches.when_changed("uninvoiced", self._uninvoice)
        self._totals = self.switches.totals

    def visible(self, entity: str) -> Callable[[Row], bool] | None:
        """A test for rows this user may see, or None when all can be seen."""
        hidden = self.hidden_companies
        field = "id" if entity == "Companies" else "companyID"
        if not hidden or entity not in (
            "Companies",
            "Contacts",
            "Invoices",
            "BillingItems",
            "CompanyLocations",
        ):
            return None
        return lambda row: row.get(field) not in hidden

    def zone_path(self, zone: int | None = None) -> str:
        """Where a zone's API lies on this server; the first zone at Autotask's own path."""
        zone = self.zone if zone is None else zone
        return "/ATServicesRest/" if zone == FIRST_ZONE else f"/zone{zone}/ATServicesRest/"

    def api_url(self, call: Call) -> str:
        """The URL that this call's zone has for the caller, ending in a slash."""
        return call.base + self.zone_path()

    def move_zone(self) -> int:
        """Moves the partner to the next zone, whose number it gives: the old URL refuses from now on."""
        self.zone += 1
        return self.zone

    @property
    def no_invoice(self) -> int | None:
        """What an uninvoiced line holds instead of an invoice."""
        return 0 if self.switches.uninvoiced == "zero" else None

    def _uninvoice(self) -> None:
        """The switch `uninvoiced` changes what every uninvoiced line holds."""
        with self.db.lock:
            table = self.db["BillingItems"]
            touched = set(table.touched)
            for row in list(table.rows.values()):
                if not row.get("invoiceID") and row.get("invoiceID") != self.no_invoice:
                    table.put(row.replaced({"invoiceID": self.no_invoice}))
            table.touched = touched

    def _retotal(self) -> None:
        """The switch `totals` changes what every invoice's total means."""
        if self.switches.totals == self._totals:
            return
        self._totals = self.switches.totals
        sign = 1 if self._totals == "with_tax" else -1
        with self.db.lock:
            table = self.db["Invoices"]
            touched = set(table.touched)
            for row in list(table.rows.values()):
                tax: Any = row.get("totalTaxValue")
                if tax:
                    table.put(row.replaced({"invoiceTotal": row.get("invoiceTotal") + sign * tax}))
            table.touched = touched
