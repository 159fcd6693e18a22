"""The partner that the storm plays with: made, connected and read by the portal's own commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from local.environment import PROJECT
from sandbox.embed import SECRET, USERNAME

if TYPE_CHECKING:
    from flask import Flask

SLUG, OWNER = "storm", "owner@storm.example"
CONNECT = ["integrations", "connect", SLUG, "--email", "storm@example.com", "--username", USERNAME]


def the_portal(environment: Mapping[str, str]) -> Flask:
    """The portal in this process, on the storm's servers."""
    os.environ.update(environment)
    from wsgi import app

    return app


def prepare(app: Flask, checkouts: int) -> list[str]:
    """Migrates, connects the partner and reads everything in; an API key for each checkout."""
    from flask_migrate import upgrade

    with app.app_context():
        upgrade(str(PROJECT / "migrations"))
    run(app, "partners", "create", "Storm", "--slug", SLUG)
    run(app, *CONNECT, said=f"{SECRET}\n")
    run(app, "sync", "run", SLUG, "--kind", "all", "--wait")
    return [api_key(app, f"Checkout {number}") for number in range(1, checkouts + 1)]


def run(app: Flask, *words: str, said: str = "") -> str:
    """One command of the portal. Raises RuntimeError with what it printed."""
    done = app.test_cli_runner().invoke(args=list(words), input=said)
    if done.exit_code:
        raise RuntimeError(f"{' '.join(words)} failed: {done.output}{done.exception or ''}")
    return done.output


def api_key(app: Flask, name: str) -> str:
    from portal.access import api_keys
    from portal.access.tenancy import tenant_scope
    from portal.cli import lookup
    from portal.extensions import db

    with app.app_context(), tenant_scope(lookup.partner(SLUG).id):
        _, secret = api_keys.create(lookup.OPERATOR, name, list(api_keys.Scope))
        db.session.commit()
    return secret


def signed_in(app: Flask) -> str:
    """The cookie of a new person with every right."""
    run(
        app,
        "users",
        "create",
        OWNER,
        "--partner",
        SLUG,
        "--role",
        "owner",
        said="nine purple teapots on a hill\n",
    )
    return sign_in(app)


def sign_in(app: Flask) -> str:
    """The cookie of one more browser of that person."""
    from flask import session

    from portal.access import sessions
    from portal.extensions import db

    with app.test_request_context():
        user = sessions.find_user(OWNER)
        assert user is not None
        login = sessions.start(user)
        login.factor_at = login.proved_at
        db.session.commit()
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        return f"{app.config['SESSION_COOKIE_NAME']}={serializer.dumps(dict(session))}"


def audit_break(app: Flask) -> int | None:
    """The position where the partner's audit chain does not verify, or None."""
    from portal.access import audit
    from portal.access.tenancy import tenant_scope
    from portal.cli import lookup

    with app.app_context(), tenant_scope(lookup.partner(SLUG).id):
        return audit.first_break()
