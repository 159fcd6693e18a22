"""Secrets at rest: AES-256-GCM, bound to the tenant, table, column and row they belong to. Secrets in pages: masked."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
MASKED = "masked."


class DecryptionError(Exception):
    """The stored value does not belong to this place, or its key is no longer configured."""


def place(tenant_id: int, table: str, column: str, row_id: int) -> str:
    """The address a secret is bound to; a value copied elsewhere does not decrypt."""
    return f"{tenant_id}/{table}/{column}/{row_id}"


def persons_place(user_id: int, table: str, column: str, row_id: int) -> str:
    """The same for a secret of a person, who belongs to no one partner."""
    return f"person {user_id}/{table}/{column}/{row_id}"


def encrypt(keys: Mapping[str, bytes], where: str, text: str) -> bytes:
    """Bytes `version NUL nonce ciphertext`, under the first key."""
    version, key = next(iter(keys.items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _bound(where, version))
    return version.encode() + b"\0" + nonce + sealed


def decrypt(keys: Mapping[str, bytes], where: str, stored: bytes) -> str:
    """The text encrypted at `where`. Raises DecryptionError."""
    version_bytes, _, rest = bytes(stored).partition(b"\0")
    version = version_bytes.decode("ascii", "replace")
    if version not in keys:
        raise DecryptionError(f"The key version {version!r} is not in ENCRYPTION_KEYS.")
    try:
        opened = AESGCM(keys[version]).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], _bound(where, version))
        return opened.decode()
    except (InvalidTag, ValueError) as error:  # ValueError: cut short, so that no nonce is left
        raise DecryptionError("A stored secret does not belong to its place.") from error


def _bound(where: str, version: str) -> bytes:
    return f"{where}/{version}".encode()


def fingerprint(secret_key: str, *parts: str) -> str:
    """A keyed hash of these parts, 64 hexadecimal digits: tells equal ones, and nobody can guess what they were."""
    return hmac.new(secret_key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def masked(text: str) -> str:
    """ASCII text under a mask of its own, so that no two answers repeat a sign of it."""
    plain = text.encode("ascii")
    mask = os.urandom(len(plain))
    return MASKED + base64.urlsafe_b64encode(mask + _crossed(plain, mask)).decode()


def unmasked(text: str) -> str:
    """What `masked` was given; any other text as it is."""
    try:
        both = base64.b64decode(text.removeprefix(MASKED), altchars=b"-_", validate=True)
        plain = _crossed(both[: len(both) // 2], both[len(both) // 2 :]).decode("ascii")
    except (binascii.Error, ValueError):  # not ours, or cut short
        return text
    return plain if text.startswith(MASKED) else text


def _crossed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
