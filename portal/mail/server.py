"""The mail server of MAIL_URL, as a value that other processes of the portal can be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from urllib.parse import parse_qsl, unquote, urlsplit

from portal.config import values
from portal.config.values import ConfigError

PORTS = {"smtp": 587, "smtps": 465}
SHAPE = (
    "MAIL_URL must be an address such as smtps://user:password@mail.example.com:465?from=portal@example.com{}"
)


@dataclass(frozen=True)
class Server:
    """`seconds` is how long it may be silent, `implicit_tls` what smtps:// means; without either TLS it is on this machine."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    start_tls: bool = True
    seconds: float = 15.0


def from_environment(env: Mapping[str, str]) -> Server | None:
    """None where MAIL_URL is empty: mails are then kept and shown. Raises ConfigError."""
    url = values.address(env, "MAIL_URL", tuple(PORTS))
    if not url:
        return None
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    sender = options.pop("from", user)
    if options or parts.path not in ("", "/") or parts.fragment:
        raise ConfigError(SHAPE.format("; it takes no other options than from."))
    if not _is_address(sender):
        raise ConfigError(SHAPE.format("; from is the e-mail address that mails come from."))
    if bool(user) != bool(password):
        raise ConfigError(SHAPE.format(", with a user and a password, or with neither."))
    local = values.is_local(parts.hostname or "")
    return Server(
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        sender=sender,
        user=user,
        password=password,
        implicit_tls=parts.scheme == "smtps",
        start_tls=parts.scheme == "smtp" and not local,
    )


def portal_url(env: Mapping[str, str], *, needed: bool) -> str:
    """Where people reach the portal, without a slash at its end: PORTAL_URL, or the first name of TRUSTED_HOSTS.

    Never the address a request names: whoever asks for somebody's new password could name their own.
    """
    url = values.address(env, "PORTAL_URL", ("https", "http"))
    if not url:
        names = [host for host in values.hosts(env, "TRUSTED_HOSTS") if not host.startswith("*")]
        url = f"https://{names[0]}" if names else ""
    parts = urlsplit(url)
    if url and (parts.path not in ("", "/") or parts.query or parts.fragment or parts.username):
        raise ConfigError("PORTAL_URL must be only scheme and host, such as https://portal.example.com.")
    if parts.scheme == "http" and not values.is_local(parts.hostname or ""):
        raise ConfigError("PORTAL_URL must begin with https://: mails carry links that open an account.")
    if needed and not url:
        raise ConfigError("MAIL_URL is set, but not PORTAL_URL, the portal's own address for links in mails.")
    return url.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        return False
    return bool(parts.username and "." in parts.domain and text.isascii() and text.isprintable())
