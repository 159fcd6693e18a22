"""Where the Autotask of the histories lives: it moves to another address, is away as a whole, and comes back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portal.autotask.errors import Misshapen, Unauthorized, Unavailable
from portal.autotask.zones import Zone
from portal.connect.opening import Connection
from tests.faults.vendor import Vendor

# How an address that the partner has left answers.
LEFT = ("refuses the login", "answers oddly")


@dataclass
class Whereabouts:
    """`vendor` is the one of the history at hand. `calls` counts what reached no Autotask."""

    vendor: Vendor = field(default_factory=lambda: Vendor([], "by patch"))
    number: int = 1
    left: str = LEFT[0]
    is_away: bool = False
    nobody_knows: bool = False
    calls: int = 0

    @property
    def address(self) -> str:
        return f"https://127.0.0.{self.number}/"

    def settle(self, vendor: Vendor) -> None:
        """All is well, at the first address."""
        self.vendor, self.number, self.is_away, self.nobody_knows, self.calls = vendor, 1, False, False, 0

    def move(self, left: str) -> None:
        self.number, self.left = self.number + 1, left

    def discover(self, *_: Any, **__: Any) -> Zone:
        if self.is_away or self.nobody_knows:
            raise Unavailable("zone discovery is away")
        return Zone(self.address, "", "Zone", 1)

    def open(self, connection: Connection) -> "AtAddress":
        return AtAddress(self, connection.zone_url)


@dataclass
class AtAddress:
    """The client for one address."""

    there: Whereabouts
    url: str

    def __enter__(self) -> "AtAddress":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, entity: str, id: int) -> dict[str, Any]:
        return self._call(self.there.vendor.get, entity, id)

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        self._call(self.there.vendor.patch, entity, body)

    def put(self, entity: str, body: dict[str, Any]) -> None:
        self._call(self.there.vendor.put, entity, body)

    def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if self.there.is_away:
            self.there.calls += 1
            raise Unavailable("Autotask is away")
        if self.url == self.there.address:
            return call(*arguments)
        self.there.calls += 1
        if self.there.left == LEFT[0]:
            raise Unauthorized("not here", status=401)
        raise Misshapen("an empty list where an invoice belongs", maybe_applied=call.__name__ != "get")
