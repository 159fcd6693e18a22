"""Keys for the JSON API: each belongs to one partner, is shown once, kept as a hash, scoped and revocable."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

import structlog
from flask import g, request
from sqlalchemy import select
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from portal import clock
from portal.access import audit, belonging
from portal.access.actor import Actor, Source
from portal.access.permissions import Permission
from portal.access.tenancy import current_tenant_id, find_or_404, key_scope, tenant_scope
from portal.extensions import db
from portal.models import ApiKey, Tenant
from portal.web import api_query, limits, outages

View = TypeVar("View", bound=Callable[..., Any])
START = "portal_"
SHOWN = 14
LONGEST_NAME = 80
USED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    READ = "read"
    WRITE_PAYMENTS = "payments.write"
    WRITE_INVOICES = "invoices.write"
    READ_EVENTS = "events.read"


class CannotMakeKey(ValueError):
    """The key is not made; the message says why."""


def create(actor: Actor, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its secret, which is told here and never again. The caller commits."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise CannotMakeKey(f"Give the key a name of at most {LONGEST_NAME} characters.")
    if not scopes or set(scopes) - set(Scope):
        raise CannotMakeKey("Choose what the key may do.")
    belonging.hold(actor, Permission.API_KEYS)
    secret = START + secrets.token_urlsafe(32)
    row = ApiKey(
        tenant_id=current_tenant_id(),
        name=name.strip(),
        prefix=secret[:SHOWN],
        token_hash=_hash(secret),
        scopes=sorted(set(scopes)),
        created_by_id=actor.user_id,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        actor, "api_key.created", "api_key", row.id, name=row.name, scopes=row.scopes, prefix=row.prefix
    )
    return row, secret


def revoke(actor: Actor, key_id: int) -> ApiKey:
    """Ends a key for good, from the next request on. Safe to call twice. The caller commits."""
    row = find_or_404(ApiKey, key_id)
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        audit.record(actor, "api_key.revoked", "api_key", row.id, name=row.name, prefix=row.prefix)
    return row


def opens(scope: Scope) -> Callable[[View], View]:
    """Opens an API view to keys that hold the scope: no or a wrong key 401, a key without the scope 403."""

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            _enter(scope)
            api_query.refuse_unknown()
            return view(*args, **kwargs)

        guarded.access = "api"  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return mark


def _enter(scope: Scope) -> None:
    """The key's partner becomes the partner of this request."""
    key = _presented()
    if key is None:
        limits.take(
            limits.API_ADDRESS, limits.address(), what="There were too many wrong API keys from here."
        )
        raise Unauthorized(
            "Send a valid API key as “Authorization: Bearer …”.", www_authenticate=WWWAuthenticate("bearer")
        )
    g.tenant_scope = tenant_scope(key.tenant_id)
    g.tenant_scope.__enter__()
    g.partner, g.api_key_id = db.session.get_one(Tenant, key.tenant_id), key.id
    g.api_scopes = frozenset(key.scopes)
    g.time_zone = g.partner.time_zone
    g.actor = Actor(Source.API, request_id=g.request_id, api_key=f"{key.name} ({key.prefix}…)")
    structlog.contextvars.bind_contextvars(api_key_id=key.id)
    g.api_room = limits.Room(0, limits.API_KEY.seconds)  # where the next line refuses, its answer says when
    g.api_room = limits.take(
        limits.API_KEY, key.id, what=f"At most {limits.API_KEY.tries} requests a minute with one key."
    )
    if g.partner.disabled_at is not None:
        raise Forbidden("This partner is disabled. Nothing was recorded; send it again once it is enabled.")
    if scope not in key.scopes:
        raise Forbidden(f"This API key does not hold the scope “{scope}”.")
    _note_use(key)


def _presented() -> ApiKey | None:
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.startswith(START):
        return None
    hash_ = _hash(secret.strip())
    with key_scope(hash_):
        return db.session.scalar(
            select(ApiKey).where(ApiKey.token_hash == hash_, ApiKey.revoked_at.is_(None))
        )


def _note_use(key: ApiKey) -> None:
    now = clock.now()
    if key.last_used_at is None or now - key.last_used_at > USED_EVERY:
        key.last_used_at = now
        outages.commit_unless_read_only()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
