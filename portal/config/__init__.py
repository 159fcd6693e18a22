"""The only reader of the environment."""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

from portal.config import values
from portal.config.values import ConfigError, database_url
from portal.mail import server

__all__ = ["ConfigError", "audit_keys", "database_url", "encryption_keys", "load"]

VENDOR_DISCOVERY_URL = "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation"


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Flask settings from environment variables. Raises ConfigError naming the variable at fault."""
    env = os.environ if environ is None else environ
    tls = values.one_of(env, "DATABASE_TLS", values.TLS)
    redis_url, redis_options = values.redis(env)
    mail = server.from_environment(env)
    return {
        "SECRET_KEY": _secret(env, "SECRET_KEY"),
        "SECRET_KEY_FALLBACKS": [_secret(env, "SECRET_KEY_BEFORE")]
        if values.text(env, "SECRET_KEY_BEFORE")
        else None,
        "ENCRYPTION_KEYS": encryption_keys(values.required(env, "ENCRYPTION_KEYS")),
        "AUDIT_KEYS": audit_keys(values.required(env, "AUDIT_KEYS")),
        "SQLALCHEMY_DATABASE_URI": database_url(values.required(env, "DATABASE_URL"), tls),
        "DATABASE_OWNER_URI": _owner(env.get("DATABASE_OWNER_URL", ""), tls),
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(env),
        "DATABASE_POOL": values.number(env, "DATABASE_POOL", 2, 1, 100),
        "WEB_CONCURRENCY": values.number(env, "WEB_CONCURRENCY", 2, 1, 100),
        "REDIS_URL": redis_url,
        "REDIS_OPTIONS": redis_options,
        "AUTOTASK_DISCOVERY_URL": values.address(
            env, "AUTOTASK_DISCOVERY_URL", ("https", "http"), VENDOR_DISCOVERY_URL
        ),
        "AUTOTASK_TRUSTED_HOSTS": values.hosts(env, "AUTOTASK_TRUSTED_HOSTS"),
        "AUTOTASK_INTEGRATION_CODE": values.header_text(env, "AUTOTASK_INTEGRATION_CODE"),
        "WEBHOOK_TRUSTED_HOSTS": values.hosts(env, "WEBHOOK_TRUSTED_HOSTS"),
        # Disks are not kept: PDFs lie in PostgreSQL or in a bucket.
        "STORAGE_URL": values.address(env, "STORAGE_URL", ("s3",)),
        "MAIL": mail,
        "DEMO_MAILS": _demo_mails(env),
        "PORTAL_URL": server.portal_url(env, needed=mail is not None),
        "TRUSTED_PROXIES": values.number(env, "TRUSTED_PROXIES", 0, 0, 10),
        "HOSTS": [host.removeprefix("*") for host in values.hosts(env, "TRUSTED_HOSTS")],
        "DEMO_LOGINS": _demo_logins(env),
        "SENTRY_DSN": values.dsn(env, "SENTRY_DSN"),
        "OPERATIONS_TOKEN": _token(env, "OPERATIONS_TOKEN"),
        "LOG_FORMAT": values.one_of(env, "LOG_FORMAT", ("json", "text")),
        "COMMAND_LINE": env.get("FLASK_RUN_FROM_CLI") == "true",
        **_cookies(insecure=values.flag(env, "INSECURE_COOKIES")),
    }


def _demo_mails(env: Mapping[str, str]) -> bool:
    shown = values.flag(env, "DEMO_MAILS")
    if shown and not values.flag(env, "INSECURE_COOKIES"):
        raise ConfigError(
            "DEMO_MAILS shows everybody all mails with their links. It is for bin/demo on plain http alone."
        )
    return shown


def _owner(url: str, tls: str) -> str:
    try:
        return database_url(url, tls) if url else ""
    except ConfigError as error:
        raise ConfigError(str(error).replace("DATABASE_URL", "DATABASE_OWNER_URL")) from error


def _demo_logins(env: Mapping[str, str]) -> list[str]:
    """What the login page of a demo says; people then need no second factor. Refused where the portal may be real."""
    text = values.text(env, "DEMO_LOGINS")
    real = not values.flag(env, "INSECURE_COOKIES") or values.number(env, "TRUSTED_PROXIES", 0, 0, 10)
    if text and real:
        raise ConfigError(
            "DEMO_LOGINS lets people in without a second factor. It is for bin/demo on plain http alone "
            "(INSECURE_COOKIES=1, no TRUSTED_PROXIES); take it away."
        )
    return [part.strip() for part in text.split(";") if part.strip()]


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


def audit_keys(text: str) -> dict[str, bytes]:
    """Key version to key, in the order written: the first signs, all verify. One without a version is `1`."""
    keys: dict[str, bytes] = {}
    for part in _list(text):
        version, separator, key = part.rpartition(":")
        if len(key) < 32 or bool(version) != bool(separator):
            raise ConfigError("AUDIT_KEYS must be a list of version:key, each key of 32 characters or more.")
        keys[version or "1"] = key.encode()
    if not keys:
        raise ConfigError("AUDIT_KEYS is empty. Give at least one key of 32 characters or more.")
    return keys


def _secret(env: Mapping[str, str], name: str) -> str:
    value = values.required(env, name)
    if len(value) < 32:
        raise ConfigError(f"{name} is shorter than 32 characters. Use a long random value.")
    return value


def _token(env: Mapping[str, str], name: str) -> str:
    """What a header can carry, or empty."""
    value = values.header_text(env, name)
    if value and (len(value) < 32 or " " in value):
        raise ConfigError(f"{name} must be 32 characters or more, without spaces. Use a long random value.")
    return value


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _engine_options(env: Mapping[str, str]) -> dict[str, Any]:
    return {
        "pool_size": values.number(env, "DATABASE_POOL", 2, 1, 100),
        "max_overflow": 0,
        "pool_timeout": 4,
        "pool_pre_ping": True,
        "hide_parameters": True,
        "connect_args": {
            "application_name": "portal",
            # A page says within 5 s that PostgreSQL is away. These see a dead host; portal/database/connection.py a frozen one.
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
