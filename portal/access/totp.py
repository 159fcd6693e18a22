"""Codes of an authenticator app (RFC 6238): six digits, 30 seconds, SHA-1, as every such app has them.

Taken are the code of now, the one before and the one after, for clocks that differ; each once (docs/limits.md).
"""

import base64
import hmac
import io
import re

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from portal import clock, crypto
from portal.access import factor_resets, spent
from portal.extensions import db
from portal.models import Factor, FactorKind, LoginSession, User

STEP = 30  # seconds
ISSUER = "Partner portal"
SETTING_UP = 3600  # seconds that a page with a new secret stays good


def new_secret() -> str:
    """160 random bits in base32."""
    import pyotp

    return pyotp.random_base32()


def offer(login: LoginSession, secret: str) -> str:
    """A new secret sealed for the form of this very login that confirms it; nothing is stored before that."""
    sealed = crypto.encrypt(current_app.config["ENCRYPTION_KEYS"], _offer_place(login), secret)
    return str(_signer().dumps(base64.b64encode(sealed).decode()))


def offered(login: LoginSession, form_value: str) -> str | None:
    """The secret of `offer`; None for one of another login, one that was tampered with, or an old one."""
    try:
        sealed = base64.b64decode(_signer().loads(form_value, max_age=SETTING_UP))
        return crypto.decrypt(current_app.config["ENCRYPTION_KEYS"], _offer_place(login), sealed)
    except (BadData, ValueError, crypto.DecryptionError):
        return None


def add(user: User, name: str, secret: str) -> Factor:
    """Stores a secret, encrypted into its place. The caller commits."""
    factor_resets.hold(user.id)
    row = Factor(user_id=user.id, kind=FactorKind.TOTP, name=name, secret=b"")
    db.session.add(row)
    db.session.flush()
    row.secret = crypto.encrypt(current_app.config["ENCRYPTION_KEYS"], _place(row), secret)
    db.session.flush()
    return row


def opens(factor: Factor, typed: str) -> bool:
    """Whether this is a code of the factor that was not used yet; it is used up then. The caller commits."""
    secret = crypto.decrypt(current_app.config["ENCRYPTION_KEYS"], _place(factor), factor.secret or b"")
    step = fitting_step(secret, typed)
    return step is not None and spent.spend("totp", factor.id, step)


def fitting_step(secret: str, typed: str) -> int | None:
    """The time step whose code this is, around now."""
    import pyotp

    digits = re.sub(r"[\s-]", "", typed)
    if not re.fullmatch("[0-9]{6}", digits):
        return None
    now, codes = int(clock.now().timestamp()) // STEP, pyotp.HOTP(secret)
    fitting = [step for step in (now, now - 1, now + 1) if hmac.compare_digest(codes.at(step), digits)]
    return fitting[0] if fitting else None


def uri(user: User, secret: str) -> str:
    """What the app reads from the picture."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)


def picture(text: str) -> str:
    """A QR code as an SVG in a data address, dark on white in both colour schemes."""
    import segno

    drawn = io.BytesIO()
    segno.make(text, error="m").save(drawn, kind="svg", scale=4, border=4, dark="#000", light="#fff")
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()


def _place(factor: Factor) -> str:
    return crypto.persons_place(factor.user_id, "factor", "secret", factor.id)


def _offer_place(login: LoginSession) -> str:
    return crypto.persons_place(login.user_id, "login_session", "new_secret", login.id)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="new authenticator")
