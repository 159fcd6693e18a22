"""Which addresses the portal talks to. All others are refused before a byte is sent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from portal.autotask.errors import Untrusted

LONGEST_URL = 8000

_VENDOR = re.compile(r"webservices[0-9]{0,3}\.autotask\.net")
_VENDOR_PAGES = re.compile(r"ww[0-9]{0,3}\.autotask\.net")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]*)*")
_VISIBLE = re.compile(r"[!-~]+")
_ZONE_SUFFIX = "zoneinformation"


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL. `port` is always filled in."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        usual = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}" + (f"?{self.query}" if self.query else "")


def trusted(url: str, trusted_hosts: Iterable[str]) -> Address:
    """`url`, if its host is Autotask's own over https or is named in `trusted_hosts`; else Untrusted."""
    address = _parsed(url)
    if _is_vendor(address, _VENDOR) or any(_named(address, entry) for entry in _entries(trusted_hosts)):
        return address
    raise _refusal()


def base_address(url: str, trusted_hosts: Iterable[str]) -> Address:
    """The address below which a connection's calls live, path ending in "/", from a zone URL."""
    address = trusted(url, trusted_hosts)
    if address.query or not _PATH.fullmatch(address.path) or _has_dot_segments(address.path):
        raise _refusal()
    return Address(address.scheme, address.host, address.port, address.path.rstrip("/") + "/", "")


def following(url: object, base: Address) -> str:
    """`url` of a next page, when it lies below `base`; else Untrusted."""
    address = _parsed(url)
    below = address.path.lower().startswith(base.path.lower())
    if address.origin != base.origin or not below or _has_dot_segments(address.path):
        raise _refusal()
    return address.url


def discovery_address(url: str, trusted_hosts: Iterable[str]) -> str:
    """The URL of zone discovery, from that URL, a base URL, or a host alone."""
    known = list(_entries(trusted_hosts))
    if "://" not in url:
        scheme = "http" if _is_loopback(url.partition("/")[0].rsplit(":", 1)[0].strip("[]")) else "https"
        url = f"{scheme}://{url}"
    base = base_address(url, known)
    path = base.path.rstrip("/")
    last = path.rpartition("/")[2].lower()
    if last == "v1.0":
        path += "/zoneInformation"
    elif last != _ZONE_SUFFIX:
        path += ("" if last == "atservicesrest" else "/atservicesrest") + "/v1.0/zoneInformation"
    return Address(base.scheme, base.host, base.port, path, "").url


def page_address(url: object, trusted_hosts: Iterable[str]) -> str:
    """The web pages' URL of a zone for links, or "" when it is not Autotask's (it only costs the links)."""
    try:
        address = _parsed(url)
    except Untrusted:
        return ""
    own = _is_vendor(address, _VENDOR_PAGES) or any(_named(address, e) for e in _entries(trusted_hosts))
    plain_path = _PATH.fullmatch(address.path) and not address.query
    return address.url if own and plain_path else ""


def _entries(trusted_hosts: Iterable[str]) -> Iterable[str]:
    listed = trusted_hosts.split(",") if isinstance(trusted_hosts, str) else trusted_hosts
    return (entry.strip().lower() for entry in listed if entry.strip())


def _parsed(url: object) -> Address:
    if not isinstance(url, str) or len(url) > LONGEST_URL or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise _refusal()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refusal() from None
    if not _is_plain(parts) or port == 0:
        raise _refusal()
    usual = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, parts.hostname or "", port or usual, parts.path or "/", parts.query)


def _is_plain(parts: SplitResult) -> bool:
    known = parts.scheme in ("http", "https") and bool(parts.hostname)
    return known and "@" not in parts.netloc and "%" not in parts.netloc and not parts.fragment


def _is_vendor(address: Address, pattern: re.Pattern[str]) -> bool:
    return address.scheme == "https" and address.port == 443 and pattern.fullmatch(address.host) is not None


def _named(address: Address, entry: str) -> bool:
    """Whether a list entry, "host" or "host:port", names this address; plain http only on loopback."""
    loopback = _is_loopback(address.host)
    if address.scheme == "http" and not loopback:
        return False
    shown = f"[{address.host}]" if ":" in address.host else address.host
    if entry in (f"{shown}:{address.port}", f"{address.host}:{address.port}"):
        return True
    return entry in (shown, address.host) and (loopback or address.port == 443)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _has_dot_segments(path: str) -> bool:
    lowered = path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/")
    return any(segment in (".", "..") for segment in lowered.split("/"))


def _refusal() -> Untrusted:
    return Untrusted("Autotask named an address that the portal does not trust. Nothing was sent there.")
