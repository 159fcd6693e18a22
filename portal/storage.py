"""Where files (PDFs) are kept: in the database, or in an S3 bucket when STORAGE_URL says so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import StoredFile, Tenant

REFUSED = (
    "The storage of PDFs refuses the portal: its key may not use the bucket. Whoever runs the portal must check "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights on the bucket."
)
AWAY = (
    "The storage of PDFs could not be reached, or has no such bucket. It is tried again with the next sync; if "
    "this stays, whoever runs the portal must check STORAGE_URL and AWS_REGION."
)
# The library itself would go on for three minutes; nobody waits so long for a page.
RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=15)}


# What stands in the database for a file in the bucket that is to go.
DROPPED = b""


class StorageFailed(RuntimeError):
    """A file could not be kept or read; str() says why, for a person."""


def put(tenant_id: int, key: str, data: bytes) -> None:
    """Keeps `data` under a key of the partner's own, in place of what was there. Raises StorageFailed."""
    store = _bucket()
    if store is not None:
        with _told_plainly():
            store.put(_path(tenant_id, key), data)
        return
    statement = insert(StoredFile).values(tenant_id=tenant_id, key=key, data=data)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_={"data": statement.excluded.data}
        )
    )


def get(tenant_id: int, key: str) -> bytes | None:
    """The bytes under a key, or None. Raises StorageFailed."""
    store = _bucket()
    if store is None:
        found = db.session.scalar(
            select(StoredFile.data).where(StoredFile.tenant_id == tenant_id, StoredFile.key == key)
        )
        return None if found is None else bytes(found)
    with _told_plainly():
        try:
            return bytes(store.get(_path(tenant_id, key)).bytes())
        except FileNotFoundError:
            return None


def remove(tenant_id: int, key: str) -> None:
    """Takes the file away. Nothing happens when there is none. Raises StorageFailed."""
    store = _bucket()
    if store is not None:
        with _told_plainly():
            store.delete(_path(tenant_id, key))
    else:
        db.session.execute(_row(tenant_id, key))


def drop(tenant_id: int, keys: Sequence[str]) -> None:
    """Takes files away with the caller's transaction: in a bucket they are marked, and go with the next upkeep."""
    if not keys:
        return
    if not _is_elsewhere():
        gone = delete(StoredFile).where(StoredFile.tenant_id == tenant_id, StoredFile.key.in_(keys))
        db.session.execute(gone)
        return
    marks = [{"tenant_id": tenant_id, "key": key, "data": DROPPED} for key in keys]
    db.session.execute(insert(StoredFile).on_conflict_do_nothing(), marks)


def want_again(tenant_id: int, key: str) -> None:
    """Before a file is put under a key that may be dropped: whoever takes it away has done so, or leaves it.

    Holds until the caller's transaction ends.
    """
    if _is_elsewhere():
        db.session.execute(_row(tenant_id, key))


def remove_dropped() -> None:
    """Takes away what was dropped in a bucket, of all partners, one a transaction. Commits. Raises StorageFailed."""
    if not _is_elsewhere():
        return
    for tenant_id in db.session.scalars(select(Tenant.id).order_by(Tenant.id)).all():
        with tenant_scope(tenant_id):
            while key := _next_dropped(tenant_id):
                remove(tenant_id, key)
                db.session.execute(_row(tenant_id, key))
                db.session.commit()
            db.session.commit()


def _next_dropped(tenant_id: int) -> str | None:
    """Held until the transaction ends: nobody puts a file there meanwhile."""
    dropped = select(StoredFile.key).where(StoredFile.tenant_id == tenant_id, StoredFile.data == DROPPED)
    return db.session.scalar(dropped.order_by(StoredFile.id).limit(1).with_for_update(skip_locked=True))


def _is_elsewhere() -> bool:
    return bool(current_app.config["STORAGE_URL"])


def _row(tenant_id: int, key: str) -> Any:
    return delete(StoredFile).where(StoredFile.tenant_id == tenant_id, StoredFile.key == key)


def _path(tenant_id: int, key: str) -> str:
    return f"{tenant_id}/{key}"


@contextmanager
def _told_plainly() -> Iterator[None]:
    """The library's errors name requests and hosts; people get a sentence."""
    from obstore import exceptions

    try:
        yield
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise StorageFailed(REFUSED) from None
    except (exceptions.BaseError, FileNotFoundError):
        raise StorageFailed(AWAY) from None


def _bucket() -> Any:
    """The bucket of STORAGE_URL (s3://name/prefix, credentials in the environment), or None for the database."""
    url = current_app.config["STORAGE_URL"]
    if not url:
        return None
    held = current_app.extensions.get("storage")
    if held is None or held[0] != url:
        from obstore.store import S3Store

        made = S3Store.from_url(url, retry_config=RETRIES)
        current_app.extensions["storage"] = held = (url, made)
    return held[1]
