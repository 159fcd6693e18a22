"""Browsers that a person logged in with before: a signed cookie, so that a stranger's tries never shut them out."""

import secrets

from flask import Response, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

from portal import crypto
from portal.models import User

YEAR = 365 * 24 * 3600
MOST_PEOPLE = 5


def known_as(user: User) -> str | None:
    """This device's name, if the user logged in here before with the password of today; else None."""
    name, people = _read()
    return name if _person(user) in people else None


def remember(user: User, answer: Response) -> None:
    """Keeps for a year that the user logged in with this browser; up to five people share one."""
    name, people = _read()
    person = _person(user)
    people = [person, *(other for other in people if other != person)][:MOST_PEOPLE]
    answer.set_cookie(
        _cookie(),
        _signer().dumps([name or secrets.token_urlsafe(12), people]),
        max_age=YEAR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _read() -> tuple[str, list[str]]:
    try:
        name, people = _signer().loads(request.cookies.get(_cookie(), ""), max_age=YEAR)
    except (BadData, ValueError):
        return "", []
    return name, people


def _person(user: User) -> str:
    """Without an e-mail in it, and another one after each change of the password."""
    return crypto.fingerprint(current_app.config["SECRET_KEY"], "device", str(user.id), user.password_hash)[
        :22
    ]


def _cookie() -> str:
    return "__Host-device" if current_app.config["SESSION_COOKIE_SECURE"] else "device"


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="device")
