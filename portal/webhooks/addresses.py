"""Where a message may go: public addresses over https, and hosts that the configuration names (WEBHOOK_TRUSTED_HOSTS).

A name is looked up once for each message, all that it leads to is checked, and the connection goes to what was checked.
"""

import ipaddress
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app

LONGEST = 2000
LOOK_UP_SECONDS = 5.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Public by its number, and answered by the machine's own host.
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotAllowed(ValueError):
    """Nothing is sent there; the message says why."""


class NotFound(NotAllowed):
    """The name leads nowhere at the moment."""


@dataclass(frozen=True)
class Target:
    """An address taken apart; `path` has its query. A trusted one may be on this machine, and without https."""

    scheme: str
    host: str
    port: int
    path: str
    trusted: bool

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_encrypted else 80) else f"{host}:{self.port}"


def target(url: str) -> Target:
    """Raises NotAllowed for what can be no receiver, before anything is looked up."""
    if (
        len(url) > LONGEST
        or not url.isascii()
        or not url.isprintable()
        or any(sign in url for sign in ' \\"<>^`{|}')
    ):
        raise NotAllowed("This is no address: it holds signs that an address cannot have.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise NotAllowed("This is no address.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise NotAllowed("Write the whole address, such as https://example.com/webhooks.")
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("Leave name and password out of the address: messages are signed.")
    if parts.fragment:
        raise NotAllowed("Leave out what stands behind the #.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    found = Target(parts.scheme, host, port, path, _is_trusted(host, port))
    if not found.trusted:
        _refuse_unusual(found)
    return found


def shown(url: str) -> str:
    """As far as anybody may see it: what stands behind the host may open something."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def checked(of: Target) -> list[str]:
    """The numbers that its host has now. Raises NotAllowed where one of them is not public."""
    found = _look_up(of.host, of.port)
    if not of.trusted:
        for number in found:
            if not is_public(ipaddress.ip_address(number.partition("%")[0])):
                raise NotAllowed(
                    "This name leads into a private network. Messages go to public addresses only."
                )
    return found


def is_public(number: Address) -> bool:
    """False for loopback, private, link-local, metadata and reserved numbers, also inside of IPv6."""
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)
        if inner is None and (number in NAT64 or int(number) < 2**32):
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if number.is_site_local:  # given up long ago, and still counted as public by its number
            return False
    usual = number.is_global and not number.is_multicast and not number.is_reserved
    return usual and number not in METADATA


def _refuse_unusual(of: Target) -> None:
    if not of.is_encrypted:
        raise NotAllowed("Use https: what is sent holds amounts.")
    if of.port != 443 and of.port < 1024:
        raise NotAllowed("Use port 443, or one from 1024 on.")


def _is_trusted(host: str, port: int) -> bool:
    named = {name.lower() for name in current_app.config["WEBHOOK_TRUSTED_HOSTS"]}
    return bool({host.lower(), f"{host.lower()}:{port}"} & named)


def _look_up(host: str, port: int) -> list[str]:
    """Raises NotFound, also where the answer takes too long: a resolver's own patience has no bound of ours."""
    if _is_number(host):
        return [host]
    asked: Future[list[str]] = Future()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            asked.set_result(list(dict.fromkeys(str(row[4][0]) for row in rows)))
        except BaseException as error:
            asked.set_exception(error)

    threading.Thread(target=ask, name="look up", daemon=True).start()
    try:
        return asked.result(LOOK_UP_SECONDS)
    except (OSError, UnicodeError):
        raise NotFound(f"The name {host} leads nowhere at the moment.") from None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
