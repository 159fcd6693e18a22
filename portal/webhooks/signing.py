"""Secrets and signatures of the Standard Webhooks specification (symmetric, `v1`). Secrets are stored encrypted.

Ours, because the specification's library brings an HTTP client along for 10 lines; the tests verify with the library.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, or_, update

from portal import crypto
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import WebhookSecret

START = "whsec_"
BYTES, FEWEST, MOST = 32, 24, 64
OVERLAP = timedelta(hours=24)


class BadSecret(ValueError):
    """This is no secret to sign with."""


def new_secret() -> str:
    return START + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of `whsec_…`. Raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(START).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        key = b""
    if not secret.startswith(START) or not FEWEST <= len(key) <= MOST:
        raise BadSecret(f"A secret is {START} with {FEWEST} to {MOST} bytes in base64 behind it.")
    return key


def headers(message_id: str, at: datetime, body: bytes, with_secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of a message; one signature for each secret."""
    moment = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), moment.encode(), body))
    digests = [hmac.new(key_of(one), signed, hashlib.sha256).digest() for one in with_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def keep(endpoint_id: int, secret: str) -> None:
    """Seals the endpoint's newest secret; those before it go on signing for a day. The caller commits."""
    now = func.now()
    still = (
        WebhookSecret.tenant_id == current_tenant_id(),
        WebhookSecret.endpoint_id == endpoint_id,
        WebhookSecret.ends_at.is_(None),
    )
    db.session.execute(update(WebhookSecret).where(*still).values(ends_at=now + OVERLAP))
    row = WebhookSecret(tenant_id=current_tenant_id(), endpoint_id=endpoint_id, sealed=b"")
    db.session.add(row)
    db.session.flush()
    row.sealed = crypto.encrypt(current_app.config["ENCRYPTION_KEYS"], _place(row), secret)
    db.session.flush()


def open_all(endpoint_id: int) -> list[str]:
    """The secrets to sign with now, newest first."""
    good = or_(WebhookSecret.ends_at.is_(None), WebhookSecret.ends_at > func.now())
    rows = db.session.scalars(
        scoped(WebhookSecret)
        .where(WebhookSecret.endpoint_id == endpoint_id, good)
        .order_by(WebhookSecret.id.desc())
    )
    keys = current_app.config["ENCRYPTION_KEYS"]
    return [crypto.decrypt(keys, _place(row), row.sealed) for row in rows]


def _place(row: WebhookSecret) -> str:
    return crypto.place(row.tenant_id, "webhook_secret", "sealed", row.id)
