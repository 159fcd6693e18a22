"""Whose login a browser presents, and the partners that they belong to: one statement at the start of a request."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm.attributes import set_committed_value

from portal.access.tenancy import shown_by_its_statement
from portal.extensions import db
from portal.models import LoginSession, Membership, Tenant, User

READ = (("login", LoginSession), ("person", User), ("partner", Tenant))
COLUMNS = [
    (f"(w.{part}).{column.name}", column) for part, model in READ for column in model.__table__.columns
]
NAMES = ", ".join([name for name, _ in COLUMNS])
KINDS = [*(column for _, column in COLUMNS), Membership.__table__.c.role]
STATEMENT: Any = select(LoginSession, User, Tenant, Membership.role).from_statement(
    text(f"SELECT {NAMES}, w.partner_role FROM who_is(:hash) AS w").columns(*KINDS)
)


@dataclass(frozen=True)
class Found:
    """A login, and by name the partners of its person with the role there; staff belong to none."""

    login: LoginSession | None = None
    memberships: list[tuple[Tenant, str]] = field(default_factory=list)


def read(token_hash: bytes) -> Found:
    """Reads outside every partner's scope, and stays there."""
    with shown_by_its_statement():
        rows = db.session.execute(STATEMENT, {"hash": token_hash}).all()
    if not rows:
        return Found()
    login, person = rows[0][:2]
    set_committed_value(login, "user", person)
    return Found(login, [(row[2], row[3]) for row in rows if row[2] is not None and row[3] is not None])
