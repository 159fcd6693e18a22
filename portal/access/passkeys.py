"""Passkeys (WebAuthn): the person is verified by the device, so that one alone replaces password and code.

A challenge is signed by us, bound to the browser and to what it is for, good for five minutes and for one time.
"""

import ipaddress
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import current_app, request, session
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import select

from portal import crypto
from portal.access import factor_resets, factors, spent
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import Factor, FactorKind, User

log = structlog.get_logger(__name__)
GOOD_FOR = 5 * 60  # seconds
ALGORITHMS = (-8, -7, -257)  # EdDSA, ES256, RS256 as COSE counts them
LOG_IN, PROVE, ADD = "log in", "prove", "add"
NEEDS_NAME = (
    "Passkeys do not work at this address ({here}): browsers make them for a name such as localhost only."
)
NEEDS_HTTPS = "Passkeys do not work at this address ({here}): browsers make them over https only."
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


def possible() -> bool:
    """Whether browsers offer passkeys for the address that the portal was opened by."""
    return not why_not()


def why_not() -> str:
    """Why there are no passkeys at this address: they need a name instead of a number, and https or localhost."""
    name = _name()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = name == "localhost" or name.endswith(".localhost")
        return "" if request.is_secure or own else NEEDS_HTTPS.format(here=_origin())
    return NEEDS_NAME.format(here=_origin())


def to_add(user: User) -> dict[str, str]:
    """What the page needs to make a new one: `options` for the browser, `challenge` for the form."""
    challenge = secrets.token_bytes(32)
    options = {
        "rp": {"id": _name(), "name": "Partner portal"},
        "user": {"id": _text(_handle(user)), "name": user.email, "displayName": user.label},
        "challenge": _text(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in ALGORITHMS],
        "timeout": GOOD_FOR * 1000,
        "excludeCredentials": _descriptors(user),
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
        "attestation": "none",
    }
    return _for_page(options, challenge, ADD)


def to_prove(user: User | None) -> dict[str, str]:
    """What the page needs to ask for one; without a user any of the browser's passkeys will do."""
    challenge = secrets.token_bytes(32)
    options = {
        "rpId": _name(),
        "challenge": _text(challenge),
        "timeout": GOOD_FOR * 1000,
        "allowCredentials": _descriptors(user) if user else [],
        "userVerification": "required",
    }
    return _for_page(options, challenge, PROVE if user else LOG_IN)


def add(user: User, name: str, answer: str, challenge: str) -> Factor | None:
    """Stores the passkey that the browser made; None if it does not verify. The caller commits."""
    expected = _challenge(challenge, ADD)
    made = _made(answer, expected) if expected is not None else None
    if expected is None or made is None:
        return None
    factor_resets.hold(user.id)
    if _known(made.credential_id) is not None or not spent.spend("passkey", expected.hex()):
        return None
    row = Factor(
        user_id=user.id,
        kind=FactorKind.PASSKEY,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
    )
    with people_scope():
        db.session.add(row)
        db.session.flush()
    return row


def was_used(challenge: str) -> bool:
    """Whether a passkey was made by this very form before."""
    expected = _challenge(challenge, ADD)
    return expected is not None and spent.is_spent("passkey", expected.hex())


def _made(answer: str, expected: bytes) -> Any:
    """The new passkey as the library verified it, or None."""
    # The library takes 11 MB of memory: only where a passkey is used.
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return verify_registration_response(
            credential=answer,
            expected_challenge=expected,
            expected_rp_id=_name(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    except (WebAuthnException, *UNREADABLE) as refusal:
        log.info("passkey.refused", why=type(refusal).__name__)
        return None


def proved(answer: str, challenge: str, user: User | None) -> Factor | None:
    """The passkey that answered, of this user or of whoever it is; None if it does not verify. The caller commits."""
    expected = _challenge(challenge, PROVE if user else LOG_IN)
    factor = _known(_credential_id(answer))
    if expected is None or factor is None or (user is not None and factor.user_id != user.id):
        return None
    uses = _uses(answer, expected, factor)
    factor_resets.hold(factor.user_id)
    if uses is None or not spent.spend("passkey", expected.hex()):
        return None
    factor.sign_count = uses
    return factor


def _uses(answer: str, expected: bytes, factor: Factor) -> int | None:
    """How often the passkey says that it was used, once its answer is verified; else None."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return verify_authentication_response(
            credential=answer,
            expected_challenge=expected,
            expected_rp_id=_name(),
            expected_origin=_origin(),
            credential_public_key=factor.public_key or b"",
            credential_current_sign_count=factor.sign_count,
            require_user_verification=True,
        ).new_sign_count
    except (WebAuthnException, *UNREADABLE) as refusal:
        log.info("passkey.refused", why=type(refusal).__name__)
        return None


def owner(factor: Factor) -> User | None:
    """The person whose passkey it is, unless they may not come in."""
    with people_scope():
        user = db.session.get_one(User, factor.user_id)
    return user if user.disabled_at is None else None


def _for_page(options: Any, challenge: bytes, purpose: str) -> dict[str, str]:
    signed = _signer().dumps([_text(challenge), purpose, _browser()])
    return {"options": json.dumps(options), "challenge": str(signed)}


def _challenge(signed: str, purpose: str) -> bytes | None:
    try:
        challenge, made_for, browser = _signer().loads(signed, max_age=GOOD_FOR)
    except (BadData, ValueError, TypeError):
        return None
    return _bytes(challenge) if (made_for, browser) == (purpose, _browser()) else None


def _credential_id(answer: str) -> bytes:
    try:
        return _bytes(json.loads(answer)["rawId"])
    except UNREADABLE:
        return b""


def _known(credential_id: bytes) -> Factor | None:
    with people_scope():
        return db.session.scalar(select(Factor).where(Factor.credential_id == credential_id))


def _descriptors(user: User) -> list[dict[str, str]]:
    known = [one.credential_id for one in factors.of(user) if one.credential_id]
    return [{"type": "public-key", "id": _text(credential_id)} for credential_id in known]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _handle(user: User) -> bytes:
    """What the device keeps as the person's name: it tells nobody who that is."""
    return bytes.fromhex(crypto.fingerprint(current_app.config["SECRET_KEY"], "passkey", str(user.id)))


def _browser() -> str:
    """The browser session that a challenge was drawn for."""
    generate_csrf()
    return crypto.fingerprint(current_app.config["SECRET_KEY"], "challenge", session.get("csrf_token", ""))


def _name() -> str:
    return urlsplit(request.host_url).hostname or ""


def _origin() -> str:
    return request.host_url.rstrip("/")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="passkey")
