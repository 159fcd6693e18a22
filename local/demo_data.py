"""The demo's partner and people, made through the portal's own commands. Safe to run twice."""

from __future__ import annotations

import sys

from flask.testing import FlaskCliRunner

PASSWORD = "Northwind-Demo-1"
SLUG, NAME = "northwind", "Northwind IT"
PEOPLE = {
    "owner": "everything",
    "manager": "all but credentials and users",
    "clerk": "payments, customers, invoices",
    "reader": "looks only",
}
STAFF = "support@portal.example"


def login_lines() -> str:
    """What the demo's login page says (DEMO_LOGINS)."""
    lines = [f"{address(role)}: {may}" for role, may in PEOPLE.items()]
    return "; ".join([*lines, f"{STAFF}: support staff", f"The password of all is {PASSWORD}"])


def address(role: str) -> str:
    return f"{role}@{SLUG}.example"


def main() -> None:
    from wsgi import app

    runner = app.test_cli_runner()
    make(runner, "partners", "create", NAME, "--slug", SLUG)
    for role in PEOPLE:
        make(
            runner,
            "users",
            "create",
            address(role),
            "--partner",
            SLUG,
            "--role",
            role,
            "--name",
            role.title(),
        )
    make(runner, "users", "create", STAFF, "--staff", "--name", "Support")


def make(runner: FlaskCliRunner, *words: str) -> None:
    """Runs one command; what is there already stays as it is."""
    done = runner.invoke(args=list(words), input=f"{PASSWORD}\n")
    if done.exit_code and "already" not in done.output:
        sys.exit(f"{' '.join(words)} failed: {done.output or done.exception!r}")


if __name__ == "__main__":
    main()
