"""What was I told? Notices of the kinds that a person's role works with, and what is new among them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import g
from sqlalchemy import ScalarSelect, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from portal import clock
from portal.access.permissions import Permission, may
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import Notice, NoticeChoice, NoticeKind
from portal.queries.paging import Key, Page, fetch

KINDS = {
    NoticeKind.NEEDS_RECONNECTING: "Autotask needs reconnecting, and is connected again",
    NoticeKind.SYNC_LATE: "A sync is late, and has arrived",
    NoticeKind.PAYMENTS_STUCK: "Payments are stuck, or wait for over an hour, and when that is over",
    NoticeKind.SUPPORT: "Support came in, and what it did there",
    NoticeKind.PEOPLE: "A new person, API key or second factor",
    NoticeKind.WEBHOOK_OFF: "A webhook was switched off, because it took no message for days, or none any more",
    NoticeKind.DIGEST: "The week in numbers, on Mondays",
}
# Who can come in is the owners' to know, and the week is written for them.
NEEDS = {NoticeKind.PEOPLE: Permission.USERS, NoticeKind.DIGEST: Permission.USERS}
NEW_FOR = timedelta(days=30)
IN_BELL = 10


def mine() -> list[NoticeKind]:
    """The kinds that the person of this request sees."""
    return [kind for kind in KINDS if may(NEEDS.get(kind, Permission.VIEW))]


def page(args: Mapping[str, str]) -> Page:
    query = select(Notice).where(Notice.tenant_id == current_tenant_id(), Notice.kind.in_(mine()))
    return fetch(query, [Key(Notice.id)], args)


def choice() -> NoticeChoice | None:
    """What this person chose, if they ever did."""
    return db.session.scalar(scoped(NoticeChoice).where(NoticeChoice.user_id == g.true_user.id))


def unseen() -> Sequence[Notice]:
    """What is new to this person, newest first; support sees none of it as new."""
    return [] if g.true_user.is_staff else db.session.scalars(_unseen(), told_to()).all()


def told_to() -> dict[str, Any]:
    """What the statements of this file ask of the person of this request."""
    return {
        "mine": current_tenant_id(), "me": g.true_user.id, "kinds": mine(), "new_since": clock.now() - NEW_FOR,
    }  # fmt: skip


def bell() -> ScalarSelect[Any]:
    """The newest of them as a column of JSON, `words`, `path` and `at` of each and how many there are, `of`; null for none.

    Asks for what `told_to` gives.
    """
    columns = (
        Notice.words,
        Notice.ended_words,
        Notice.path,
        Notice.changed_at,
        func.count().over().label("of"),
    )
    rows = _unseen().with_only_columns(*columns).limit(IN_BELL).subquery()
    words = func.coalesce(rows.c.ended_words, rows.c.words)
    one = func.jsonb_build_object(
        "words", words, "path", rows.c.path, "at", rows.c.changed_at, "of", rows.c.of
    )
    return select(func.jsonb_agg(aggregate_order_by(one, rows.c.changed_at.desc()))).scalar_subquery()


def _unseen() -> Select[Any]:
    partner: Any = bindparam("mine")
    kinds: Any = bindparam("kinds", expanding=True)
    chosen = (NoticeChoice.tenant_id == partner, NoticeChoice.user_id == bindparam("me"))
    seen = select(NoticeChoice.seen_at).where(*chosen).scalar_subquery()
    since = func.coalesce(seen, bindparam("new_since"))
    new = (Notice.tenant_id == partner, Notice.kind.in_(kinds), Notice.changed_at > since)
    return select(Notice).where(*new).order_by(Notice.changed_at.desc())


def keep(**values: object) -> None:
    """Writes this person's choice. The caller commits."""
    row = {"tenant_id": current_tenant_id(), "user_id": g.true_user.id, **values}
    if "seen_at" not in values:
        row["seen_at"] = clock.now() - NEW_FOR
    statement = insert(NoticeChoice).values(row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_=values))
