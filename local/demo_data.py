"""The demo's partners and people, made through the portal's own commands. Safe to run twice."""

from __future__ import annotations

import sys

from flask.testing import FlaskCliRunner

PASSWORD = "Northwind-Demo-1"
SLUG, NAME = "northwind", "Northwind IT"
PEOPLE = {
    "owner": "everything",
    "manager": "all but credentials and users, and looks at Riverbend IT",
    "clerk": "payments, customers, invoices",
    "reader": "looks only",
}
# Another partner (local/demo_files.py).
FILES_SLUG, FILES_NAME = "riverbend", "Riverbend IT"
FILES_OWNER = f"owner@{FILES_SLUG}.example"
STAFF = "support@portal.example"
# One person who has a second factor: its code stands on the demo's own page (local/demo_page.py).
GUARDED, SEED = "sam@portal.example", "NORTHWINDDEMOSEEDNORTHWINDDEMOSE"


def login_lines(page: str = "") -> str:
    """What the demo's login page says (DEMO_LOGINS); `page` is where the code of one person stands."""
    lines = [f"{address(role)}: {may}" for role, may in PEOPLE.items()]
    lines.append(f"{FILES_OWNER}: everything of {FILES_NAME}, whose invoices come in as files")
    guarded = f"{GUARDED}: support staff who set up a second factor" + (
        f", whose code is at {page}" if page else ""
    )
    return ";".join([*lines, f"{STAFF}: support staff", guarded, f"The password of all: {PASSWORD}"])


def address(role: str) -> str:
    return f"{role}@{SLUG}.example"


def main() -> None:
    from local import demo_files
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
    make(runner, "users", "create", STAFF, "--staff", "--name", "Robin")
    make(runner, "users", "create", GUARDED, "--staff", "--name", "Sam")
    with app.app_context():
        guard()
    demo_files.bring_in(runner, app)
    make(runner, "users", "create", address("manager"), "--partner", FILES_SLUG, "--role", "reader")


def guard() -> None:
    """Gives one person an authenticator app whose seed everybody knows."""
    from portal import clock
    from portal.access import factors, sessions, totp
    from portal.extensions import db

    user = sessions.find_user(GUARDED)
    if user is not None and not factors.of(user):
        totp.add(user, "The demo's page", SEED)
        user.second_factor_at = clock.now()
        db.session.commit()


def make(runner: FlaskCliRunner, *words: str) -> None:
    """Runs one command; what is there already stays as it is."""
    done = runner.invoke(args=list(words), input=f"{PASSWORD}\n")
    if done.exit_code and "already" not in done.output:
        sys.exit(f"{' '.join(words)} failed: {done.output or done.exception!r}")


if __name__ == "__main__":
    main()
