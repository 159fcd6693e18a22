"""The two roles of an embedded PostgreSQL: `portal` owns the tables, `portal_serving` serves (docs/roles.md)."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

SUPERUSER, APP_ROLE, SERVING_ROLE, DATABASE = "postgres", "portal", "portal_serving", "portal"
ALL = (SUPERUSER, APP_ROLE, SERVING_ROLE)


def passwords(path: Path) -> dict[str, str]:
    """By role; a cluster that was made with one role gets a password for the other."""
    held: dict[str, str] = json.loads(path.read_text())
    if SERVING_ROLE not in held:
        held[SERVING_ROLE] = secrets.token_urlsafe(18)
        path.write_text(json.dumps(held))
    return held


def create_database(superuser_url: str, passwords: dict[str, str]) -> None:
    """The empty database with its owner, anew."""
    create = f"CREATE DATABASE {DATABASE} OWNER {APP_ROLE}"
    _run(superuser_url, f"DROP DATABASE IF EXISTS {DATABASE}", *_role(APP_ROLE, passwords), create)


def create_serving_role(superuser_url: str, passwords: dict[str, str]) -> None:
    """A role without rights: `flask db upgrade` gives it what it needs of the tables."""
    _run(superuser_url, *_role(SERVING_ROLE, passwords))


def _role(name: str, passwords: dict[str, str]) -> tuple[str, str]:
    rights = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"
    return f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} {rights} PASSWORD '{passwords[name]}'"


def _run(superuser_url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
