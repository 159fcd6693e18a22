"""A sandbox inside the caller's process, for tests.

with Sandbox(seed=7, customers=20, invoices=60) as sb:
    client_for(sb.discovery_url, sb.username, sb.secret)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any

from sandbox import control
from sandbox.api.settings import set_settings
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.holds import Hold
from sandbox.requestlog import Change, Request
from sandbox.seed import sow
from sandbox.serving import Serving
from sandbox.store.rows import Row
from sandbox.switches import Switches
from sandbox.users import User
from sandbox.world import World

USERNAME = "api@demo-msp.example"
SECRET = "demo-secret-1234"  # noqa: S105 - the demo's, printed in the README
INTEGRATION_CODE = "DEMO-INTEGRATION"


class Stats:
    """Figures about the calls so far."""

    def __init__(self, world: World) -> None:
        self._world = world

    def max_parallel(self, entity: str) -> int:
        """The most calls of one endpoint ("Invoices") that ever ran at once."""
        return self._world.parallel.most(entity)

    def calls(self) -> dict[str, int]:
        """Number of calls by "Entity verb"."""
        return self._world.log.counts()

    def clear(self) -> None:
        self._world.parallel.clear()


class Sandbox:
    """Autotask on a free loopback port, from `start` (or `with`) to `stop`; 0 customers make it empty.

    `today` is the day the seeded data leads up to; the clock itself runs in real time until it is set.
    """

    def __init__(
        self,
        seed: int = 1,
        customers: int = 20,
        invoices: int = 60,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        today: date | None = None,
        username: str = USERNAME,
        secret: str = SECRET,
        integration_code: str = INTEGRATION_CODE,
        strict_integration_code: bool = False,
        **switches: Any,
    ) -> None:
        self.world = World()
        self.world.switches.update(switches)
        self.username, self.secret, self.integration_code = username, secret, integration_code
        code = integration_code if strict_integration_code else ""
        self.world.users.add(User(username, secret, code))
        sow(self.world, seed, customers, invoices, today or datetime.now(UTC).date())
        self.serving = Serving(self.world, partial(control.handle, self), host, port)
        self.switches: Switches = self.world.switches
        self.clock: Clock = self.world.clock
        self.faults: Faults = self.world.faults
        self.stats: Stats = Stats(self.world)
        people = self.world.people
        self.add_company = people.add_company
        self.add_contact = people.add_contact
        self.add_invoice = people.add_invoice
        self.add_line = people.add_line
        self.change_company = people.change_company
        self.change_contact = people.change_contact
        self.change_invoice = people.change_invoice
        self.void_invoice = people.void_invoice
        self.remove_invoice = people.remove_invoice
        self.remove_line = people.remove_line

    def start(self) -> Sandbox:
        self.serving.start()
        return self

    def stop(self) -> None:
        self.faults.clear()
        self.world.holds.release_all()
        self.serving.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self.serving.server.port

    @property
    def url(self) -> str:
        """The server's own address, without a path: "http://127.0.0.1:8123"."""
        return self.serving.server.base

    @property
    def api_url(self) -> str:
        """The zone's URL as zone discovery answers it, ending in a slash."""
        return self.url + self.world.zone_path()

    @property
    def discovery_url(self) -> str:
        """The whole URL of zone discovery; append `?user=`."""
        return f"{self.url}/ATServicesRest/V1.0/zoneInformation"

    @property
    def ca_certificate(self) -> str:
        """PEM of the CA behind the last certificate that fault F17 made."""
        return self.serving.ca

    @property
    def headers(self) -> dict[str, str]:
        """The three headers of the valid user."""
        return {"ApiIntegrationCode": self.integration_code, "UserName": self.username, "Secret": self.secret}

    @property
    def requests(self) -> list[Request]:
        """The newest API calls, oldest first."""
        return self.world.log.all()

    def clear_requests(self) -> None:
        self.world.log.clear()

    def calls(self, entity: str | None = None, verb: str | None = None) -> list[Request]:
        """Calls of an entity ("Invoices") and verb ("query", "next", "get", "patch", "pdf", …)."""
        return self.world.log.calls(entity, verb)

    def row(self, entity: str, key: int) -> dict[str, Any] | None:
        """A record as Autotask holds it: names and texts of the API, numbers as Decimal; None if gone."""
        with self.world.db.lock:
            held = self.world.db[entity].rows.get(key)
        return None if held is None else self._shown(held)

    def rows(self, entity: str) -> list[dict[str, Any]]:
        """All records of an entity, ascending by id."""
        with self.world.db.lock:
            table = self.world.db[entity]
            held = [table.rows[key] for key in table.ids]
        return [self._shown(one) for one in held]

    def count(self, entity: str) -> int:
        return len(self.world.db[entity].ids)

    def _shown(self, row: Row) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(row.json(self.switches.dates_z), parse_float=Decimal)
        return shown

    def invoice(self, key: int) -> dict[str, Any] | None:
        return self.row("Invoices", key)

    def company(self, key: int) -> dict[str, Any] | None:
        return self.row("Companies", key)

    def contact(self, key: int) -> dict[str, Any] | None:
        return self.row("Contacts", key)

    def lines(self, invoice: int) -> list[dict[str, Any]]:
        """The billing items of an invoice."""
        with self.world.db.lock:
            held = self.world.people.lines(invoice)
        return [self._shown(one) for one in held]

    def merge_companies(self, gone: int, into: int) -> list[Change]:
        """Deletes a company as people do: by merging it into another, which gets all that belonged to it."""
        return self.world.people.merge_companies(gone, into)

    def remove_company(self, key: int) -> Change:
        """The company alone is gone; `merge_companies` is how people do it."""
        return self.world.people.remove("Companies", key)

    def remove_contact(self, key: int) -> Change:
        return self.world.people.remove("Contacts", key)

    def hold(self, entity: str | None = None, verb: str | None = None) -> Hold:
        """Stops matching calls before they take effect, until the `with` block ends or `release`."""
        return self.world.holds.add(entity, verb)

    def add_other_usage(self, calls: int) -> None:
        """Counts calls of other integrations at this moment."""
        self.world.usage.add(calls)

    def clear_usage(self) -> None:
        """No calls in the rolling window, ours or others'."""
        self.world.usage.clear()

    def set_invoice_settings(self, company: int, **fields: Any) -> Change:
        """Changes who gets a company's invoices: contactRecipients, otherEmails, …"""
        with self.world.db.lock:
            return set_settings(self.world, company, fields)

    def add_user(self, username: str, secret: str, integration_code: str = "") -> User:
        """A further API user of the same Autotask."""
        return self.world.users.add(User(username, secret, integration_code))

    @property
    def user(self) -> User:
        """The valid user; change its secret, lock it, or take its rights."""
        return self.world.users.by_name[self.username.lower()]

    def lock_user(self) -> None:
        self.user.lock()

    def deactivate_user(self) -> None:
        """An administrator sets the API user inactive, until `activate_user`."""
        self.user.active = False

    def activate_user(self) -> None:
        self.user.active = True

    def unlock_user(self) -> None:
        self.user.unlock()

    def change_secret(self, secret: str) -> None:
        """A new secret in Autotask; `sb.secret` stays what it was until it is set too."""
        self.user.secret = secret

    def forbid(self, *entities: str) -> None:
        """Takes the right to read and write these ("Invoices", "InvoicePdf", …)."""
        self.user.forbidden |= set(entities)

    def allow(self, *entities: str) -> None:
        """Gives the rights back; without names, all of them."""
        self.user.forbidden -= set(entities or self.user.forbidden)

    def move_zone(self) -> str:
        """Moves the partner to another zone; gives the new URL. The old one refuses from now on."""
        self.world.move_zone()
        return self.api_url

    def restrict_line_of_business(self, companies: Iterable[int] = ()) -> None:
        """These companies and all that is theirs vanish from the API's sight; none lifts it."""
        self.world.hidden_companies = set(companies)

    def refuse_connections(self) -> None:
        """Nobody listens at the port until `accept_connections`."""
        self.serving.server.close_listener()
        self.serving.server.close_connections()

    def accept_connections(self) -> None:
        self.serving.server.listen()
