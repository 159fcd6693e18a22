"""How often one may try. Counted in Redis; while that is away, a stricter count in each process."""

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

LOGIN_TRIES = "10 per 15 minutes"
LOGIN_TRIES_WITHOUT_REDIS = "2 per 15 minutes"

limiter = Limiter(
    key_func=get_remote_address,
    in_memory_fallback=[LOGIN_TRIES_WITHOUT_REDIS],
    in_memory_fallback_enabled=True,
    headers_enabled=False,
)
# Its own, because a lost Redis must not make payments wait: then each process counts the same rate by itself.
api_limiter = Limiter(key_func=get_remote_address, in_memory_fallback_enabled=True, headers_enabled=False)


def register(app: Flask) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = app.config["REDIS_URL"]
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
    limiter.init_app(app)
    api_limiter.init_app(app)


def account_and_address() -> str:
    """One counter for each e-mail tried from each address."""
    return f"{request.form.get('email', '').strip().lower()[:254]} {get_remote_address()}"
