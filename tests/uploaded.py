"""Files of customers or invoices as people upload them, inside the tenant scope of their partner. Each step commits."""

import io

from portal.extensions import db
from portal.models import FileState, ImportFile, ImportKind
from portal.uploads import asking, choice, staging, work
from tests import factories


def staged(words: str, kind: ImportKind = ImportKind.CUSTOMERS, name: str = "file.csv") -> ImportFile:
    row = staging.stage(factories.ACTOR, kind, name, io.BytesIO(words.encode()))
    db.session.commit()
    return row


def waiting(words: str, kind: ImportKind = ImportKind.CUSTOMERS, name: str = "file.csv") -> ImportFile:
    """To be looked at by a worker."""
    row = staged(words, kind, name)
    assert asking.read(factories.ACTOR, row, choice.from_kept(row.choice))
    db.session.commit()
    return row


def checked(words: str, kind: ImportKind = ImportKind.CUSTOMERS, name: str = "file.csv") -> ImportFile:
    row = waiting(words, kind, name)
    assert work.work(row.id)
    return factories.refreshed(row)  # type: ignore[no-any-return]


def taken(words: str, kind: ImportKind = ImportKind.CUSTOMERS, name: str = "file.csv") -> ImportFile:
    row = checked(words, kind, name)
    assert asking.take(factories.ACTOR, row)
    db.session.commit()
    assert work.work(row.id)
    assert factories.refreshed(row).state == FileState.TAKEN
    return row
