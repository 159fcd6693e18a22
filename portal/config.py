"""The only reader of the environment."""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

VENDOR_DISCOVERY_URL = "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation"


class ConfigError(RuntimeError):
    """A setting is missing or unusable; the message names the variable."""


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Flask settings from environment variables. Raises ConfigError naming the variable at fault."""
    env = os.environ if environ is None else environ
    return {
        "SECRET_KEY": _secret(env, "SECRET_KEY"),
        "ENCRYPTION_KEYS": encryption_keys(_required(env, "ENCRYPTION_KEYS")),
        "SQLALCHEMY_DATABASE_URI": database_url(_required(env, "DATABASE_URL")),
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(env),
        "REDIS_URL": _required(env, "REDIS_URL"),
        "AUTOTASK_DISCOVERY_URL": env.get("AUTOTASK_DISCOVERY_URL") or VENDOR_DISCOVERY_URL,
        "AUTOTASK_TRUSTED_HOSTS": _list(env.get("AUTOTASK_TRUSTED_HOSTS", "")),
        "AUTOTASK_INTEGRATION_CODE": env.get("AUTOTASK_INTEGRATION_CODE", ""),
        "STORAGE_URL": _storage(env.get("STORAGE_URL", "")),
        "MAIL_URL": env.get("MAIL_URL", ""),
        "TRUSTED_PROXIES": int(env.get("TRUSTED_PROXIES") or 0),
        "LOG_FORMAT": env.get("LOG_FORMAT") or "json",
        **_cookies(insecure=env.get("INSECURE_COOKIES") == "1"),
    }


def database_url(url: str) -> str:
    """A SQLAlchemy URL for psycopg 3 from the forms Heroku and PostgreSQL tools write."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError("DATABASE_URL must be a PostgreSQL address such as postgresql://user@host/name.")
    return f"postgresql+psycopg://{rest}"


def encryption_keys(text: str) -> dict[str, bytes]:
    """Key version to 32 bytes, in the order written: the first encrypts, all decrypt."""
    keys: dict[str, bytes] = {}
    for part in _list(text):
        version, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not version or len(key) != 32:
            raise ConfigError("ENCRYPTION_KEYS must be a list of version:base64 keys of 32 bytes each.")
        keys[version] = key
    if not keys:
        raise ConfigError("ENCRYPTION_KEYS is empty. Give at least one version:base64 key of 32 bytes.")
    return keys


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set. The portal does not start without it.")
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    value = _required(env, name)
    if len(value) < 32:
        raise ConfigError(f"{name} is shorter than 32 characters. Use a long random value.")
    return value


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _storage(url: str) -> str:
    if url and not url.startswith("s3://"):
        raise ConfigError(
            "STORAGE_URL must be s3://bucket/prefix, or empty for PostgreSQL. Disks are not kept."
        )
    return url


def _engine_options(env: Mapping[str, str]) -> dict[str, Any]:
    return {
        "pool_size": int(env.get("DATABASE_POOL") or 4),
        "max_overflow": 2,
        "pool_timeout": 3,
        "pool_pre_ping": True,
        "hide_parameters": True,
        "connect_args": {
            # A page says within 5 s that PostgreSQL is away. These see a dead host; portal/database.py a frozen one.
            "connect_timeout": 2,
            "tcp_user_timeout": 5000,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            # Compiling a statement of milliseconds takes PostgreSQL's JIT hundreds of them.
            "options": "-c jit=off -c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    }


def _cookies(*, insecure: bool) -> dict[str, Any]:
    # The __Host- prefix needs https; a demo on plain http goes without it.
    return {
        "SESSION_COOKIE_NAME": "portal" if insecure else "__Host-portal",
        "SESSION_COOKIE_SECURE": not insecure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a form lives as long as its session
        "WTF_CSRF_SSL_STRICT": not insecure,
        "WTF_CSRF_CHECK_DEFAULT": False,  # access.requests checks, once it knows who asks
        "MAX_CONTENT_LENGTH": 8 * 1024 * 1024,
        "PREFERRED_URL_SCHEME": "http" if insecure else "https",
    }
