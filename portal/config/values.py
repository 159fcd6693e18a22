"""What values settings may have. Each function raises ConfigError with the variable's name and what it should be."""

import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi
import psycopg
from psycopg.conninfo import make_conninfo
from redis.connection import parse_url
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

Environment = Mapping[str, str]

TLS = VERIFY, ENCRYPT, OFF = "verify", "encrypt", "off"
SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
HOST = re.compile(
    r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?"
)


class ConfigError(RuntimeError):
    """A setting is missing or unusable; the message names the variable."""


def text(env: Environment, name: str) -> str:
    """Trimmed; empty where it is not set. Signs that no setting can hold are refused."""
    value = env.get(name, "").strip()
    if not value.isprintable():
        raise ConfigError(f"{name} must hold no line breaks and no invisible signs.")
    return value


def header_text(env: Environment, name: str) -> str:
    """What goes into an HTTP header as it is."""
    value = text(env, name)
    if not value.isascii() or len(value) > 200:
        raise ConfigError(f"{name} must be at most 200 ASCII letters, digits and signs.")
    return value


def required(env: Environment, name: str) -> str:
    value = text(env, name)
    if not value:
        raise ConfigError(f"{name} is not set. The portal does not start without it.")
    return value


def number(env: Environment, name: str, usual: int, lowest: int, highest: int) -> int:
    value = text(env, name) or str(usual)
    if not re.fullmatch("[0-9]{1,6}", value) or not lowest <= int(value) <= highest:
        raise ConfigError(f"{name} must be a whole number from {lowest} to {highest}, not {value!r}.")
    return int(value)


def flag(env: Environment, name: str) -> bool:
    return one_of(env, name, ("0", "1")) == "1"


def one_of(env: Environment, name: str, values: Collection[str]) -> str:
    """One of the values; the first where it is not set."""
    value = text(env, name) or next(iter(values))
    if value not in values:
        raise ConfigError(f"{name} must be {' or '.join(values)}, not {value!r}.")
    return value


def address(env: Environment, name: str, schemes: Collection[str], usual: str = "") -> str:
    """A URL with a host and one of the schemes."""
    value = text(env, name) or usual
    parts = _split(value)
    if value and (parts is None or parts.scheme not in schemes or not parts.hostname or " " in value):
        shapes = " or ".join(f"{scheme}://…" for scheme in schemes)
        raise ConfigError(f"{name} must be an address such as {shapes}, not {_without_login(value)!r}.")
    return value


def dsn(env: Environment, name: str) -> str:
    """Where errors are reported to, with the project's key in it; only this machine is told without encryption."""
    value = address(env, name, ("https", "http"))
    parts = urlsplit(value)
    shape = value and (parts.scheme == "https" or is_local(parts.hostname or ""))
    if value and not (shape and parts.username and re.fullmatch(r"(/.*)?/\d+", parts.path)):
        raise ConfigError(
            f"{name} must be an address such as https://key@host/7, not {_without_login(value)!r}."
        )
    return value


def hosts(env: Environment, name: str) -> list[str]:
    """Host names, each with a port if there is one, from a list with commas."""
    found = [part.strip() for part in text(env, name).split(",") if part.strip()]
    for host in found:
        if (
            not HOST.fullmatch(host)
            or int(host.rpartition(":")[2] if re.search(r":\d+$", host) else 1) > 65535
        ):
            raise ConfigError(f"{name} must list hosts such as example.com or 127.0.0.1:8010, not {host!r}.")
    return found


def database_url(value: str, tls: str = VERIFY) -> str:
    """A SQLAlchemy URL for psycopg 3; the server's certificate is verified unless `tls` says otherwise."""
    scheme, separator, rest = value.partition("://")
    try:
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
            raise ValueError
        url = make_url(f"postgresql+psycopg://{rest}")
        make_conninfo("", **{name: str(given) for name, given in url.query.items()})
        if not url.database or url.query.get("sslmode", "prefer") not in SSL_MODES:
            raise ValueError
    except (ValueError, ArgumentError, psycopg.Error):
        raise ConfigError(
            "DATABASE_URL must be a PostgreSQL address such as postgresql://user:password@host:5432/name."
        ) from None
    return _with_tls(url, tls).render_as_string(hide_password=False)


def _with_tls(url: URL, tls: str) -> URL:
    """What the address says itself stands; servers on this machine need none."""
    named = [url.host or "", *_listed(url.query.get("host", ""))]
    if "sslmode" in url.query or all(is_local(host) for host in named):
        return url
    modes: dict[str, dict[str, str | Sequence[str]]] = {
        VERIFY: {"sslmode": "verify-full", "sslrootcert": url.query.get("sslrootcert") or authorities()},
        ENCRYPT: {"sslmode": "require"},
        OFF: {"sslmode": "disable"},
    }
    return url.update_query_dict(modes[tls])


def redis(env: Environment) -> tuple[str, dict[str, Any]]:
    """The address of Redis, and the options of a client for it."""
    value, tls = required(env, "REDIS_URL"), one_of(env, "REDIS_TLS", TLS)
    try:
        parse_url(value)
        parts = urlsplit(value)
        if parts.scheme != "unix" and not parts.hostname:
            raise ValueError
    except (ValueError, TypeError):
        raise ConfigError("REDIS_URL must be an address such as rediss://:password@host:6379/0.") from None
    if parts.scheme == "rediss":
        return value, _redis_tls(tls)
    if parts.scheme == "redis" and tls != OFF and not is_local(parts.hostname or ""):
        raise ConfigError(
            f"REDIS_URL leads to {parts.hostname} without encryption. Use rediss://, or set REDIS_TLS=off where "
            "nobody else is on the network between."
        )
    return value, {}


def _redis_tls(tls: str) -> dict[str, Any]:
    if tls == OFF:
        raise ConfigError("REDIS_TLS is off, but REDIS_URL is rediss://. Set one of them otherwise.")
    if tls == ENCRYPT:
        return {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": authorities()}


def authorities() -> str:
    """The file of certificate authorities that this machine trusts (SSL_CERT_FILE, or the system's)."""
    return ssl.get_default_verify_paths().cafile or certifi.where()


def is_local(host: str) -> bool:
    """On this machine: loopback, a socket's folder, or the default socket."""
    name = host.strip("[]").lower()
    return name in ("", "localhost", "::1") or name.startswith(("127.", "/"))


def _listed(given: str | tuple[str, ...]) -> list[str]:
    return [
        host for part in ((given,) if isinstance(given, str) else given) for host in part.split(",") if host
    ]


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for what is no port
    except ValueError:
        return None
    return parts


def _without_login(value: str) -> str:
    """For messages: what stands before an @ may be a password."""
    return re.sub(r"//[^@/]*@", "//…@", value)
