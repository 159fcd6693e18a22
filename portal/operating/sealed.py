"""Every secret that is stored encrypted, and the place that it is bound to: opened to check it, sealed anew by a new key.

Keys are those of ENCRYPTION_KEYS: the first seals, all open.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import select, text

from portal import crypto
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db, rows_written
from portal.models import Tenant

BATCH = 100


@dataclass(frozen=True)
class Kind:
    """`rows` is SQL for `id`, `of` (a partner or a person) and `sealed` of the scope at hand, beginning after :after."""

    what: str
    table: str
    column: str
    key: str
    rows: str
    of_person: bool = False

    def place(self, of: int, row_id: int) -> str:
        where = crypto.persons_place if self.of_person else crypto.place
        return where(of, self.table, self.column, row_id)


INTEGRATIONS = Kind(
    "login to Autotask", "integration", "secret", "id",
    "SELECT id, tenant_id AS of, secret AS sealed FROM integration WHERE id > :after AND length(secret) > 0 ORDER BY id LIMIT :most",
)  # fmt: skip
LINKS = Kind(
    "link of a mail", "mail_secret", "sealed", "mail_id",
    "SELECT mail_id AS id, coalesce(tenant_id, 0) AS of, sealed FROM mail_secret"
    " WHERE mail_id > :after ORDER BY mail_id LIMIT :most",
)  # fmt: skip
FACTORS = Kind(
    "authenticator app", "factor", "secret", "id",
    "SELECT id, user_id AS of, secret AS sealed FROM factor"
    " WHERE id > :after AND secret IS NOT NULL ORDER BY id LIMIT :most",
    of_person=True,
)  # fmt: skip
WEBHOOKS = Kind(
    "secret of a webhook", "webhook_secret", "sealed", "id",
    "SELECT id, tenant_id AS of, sealed FROM webhook_secret WHERE id > :after ORDER BY id LIMIT :most",
)  # fmt: skip
OF_PARTNERS, OF_PEOPLE = (INTEGRATIONS, LINKS, WEBHOOKS), (FACTORS, LINKS)


@dataclass
class Figures:
    """How many are sealed by the first key, by another one that is known, and how many cannot be opened."""

    newest: int = 0
    older: int = 0
    lost: int = 0


def figures() -> Figures:
    """Opens every one."""
    keys, found = current_app.config["ENCRYPTION_KEYS"], Figures()
    for kind, row in _all():
        try:
            crypto.decrypt(keys, kind.place(row.of, row.id), row.sealed)
        except crypto.DecryptionError:
            found.lost += 1
        else:
            found.newest += _is_newest(row.sealed)
            found.older += not _is_newest(row.sealed)
    return found


def seal_anew() -> Figures:
    """Seals by the first key what another one sealed. Commits batch by batch: safe to kill, and to run twice."""
    keys, found = current_app.config["ENCRYPTION_KEYS"], Figures()
    for kind, row in _all(then_commit=True):
        if _is_newest(row.sealed):
            found.newest += 1
            continue
        where = kind.place(row.of, row.id)
        try:
            plain = crypto.decrypt(keys, where, row.sealed)
        except crypto.DecryptionError:
            found.lost += 1
            continue
        found.older += _replace(kind, row, crypto.encrypt(keys, where, plain))
    return found


def _is_newest(sealed: bytes) -> bool:
    newest = next(iter(current_app.config["ENCRYPTION_KEYS"]))
    return bytes(sealed).partition(b"\0")[0] == newest.encode()


def _replace(kind: Kind, row: Any, sealed: bytes) -> int:
    """Unless somebody has stored another one meanwhile."""
    statement = (
        f"UPDATE {kind.table} SET {kind.column} = :new WHERE {kind.key} = :id AND {kind.column} = :old"
    )
    return rows_written(text(statement), {"new": sealed, "id": row.id, "old": bytes(row.sealed)})


def _all(*, then_commit: bool = False) -> Iterator[tuple[Kind, Any]]:
    partners = list(db.session.scalars(select(Tenant.id).order_by(Tenant.id)))
    scopes: list[tuple[AbstractContextManager[None], tuple[Kind, ...]]] = [
        *((tenant_scope(tenant_id), OF_PARTNERS) for tenant_id in partners),
        (people_scope(), OF_PEOPLE),
    ]
    for scope, kinds in scopes:
        with scope:
            for kind in kinds:
                yield from _of_kind(kind, then_commit)


def _of_kind(kind: Kind, then_commit: bool) -> Iterator[tuple[Kind, Any]]:
    after = 0
    while rows := db.session.execute(text(kind.rows), {"after": after, "most": BATCH}).all():
        for row in rows:
            yield kind, row
        after = rows[-1].id
        if then_commit:
            db.session.commit()
