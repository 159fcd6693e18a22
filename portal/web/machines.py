"""Which machine asks: one on this host itself, or one that holds the token of operations."""

import hmac
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import current_app, request

# A proxy on this machine is not the one who asks; any of these tells that there is one.
OF_PROXIES = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Start",
)  # fmt: skip


def is_trusted() -> bool:
    """Whether it may see details: with OPERATIONS_TOKEN, or from this machine and through no proxy."""
    return holds_the_token() or is_from_here()


def holds_the_token() -> bool:
    token: str = current_app.config["OPERATIONS_TOKEN"]
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and kind.lower() == "bearer" and same


def is_from_here() -> bool:
    """By the socket's own end, whatever a header says of where the request came from."""
    if any(name in request.headers for name in OF_PROXIES):
        return False
    before: dict[str, Any] = request.environ.get("werkzeug.proxy_fix.orig", {})
    try:
        address = ip_address(before.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
