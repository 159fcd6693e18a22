"""Where files (PDFs) are kept: in the database, or in an S3 bucket when STORAGE_URL says so."""

from typing import Any

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from portal.extensions import db
from portal.models import StoredFile


def put(tenant_id: int, key: str, data: bytes) -> None:
    """Keeps `data` under a key of the partner's own, in place of what was there."""
    store = _bucket()
    if store is not None:
        store.put(_path(tenant_id, key), data)
        return
    statement = insert(StoredFile).values(tenant_id=tenant_id, key=key, data=data)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_={"data": statement.excluded.data}
        )
    )


def get(tenant_id: int, key: str) -> bytes | None:
    """The bytes under a key, or None."""
    store = _bucket()
    if store is None:
        found = db.session.scalar(
            select(StoredFile.data).where(StoredFile.tenant_id == tenant_id, StoredFile.key == key)
        )
        return None if found is None else bytes(found)
    try:
        return bytes(store.get(_path(tenant_id, key)).bytes())
    except FileNotFoundError:
        return None


def remove(tenant_id: int, key: str) -> None:
    """Takes the file away. Nothing happens when there is none."""
    store = _bucket()
    if store is not None:
        store.delete(_path(tenant_id, key))
    else:
        db.session.execute(delete(StoredFile).where(StoredFile.tenant_id == tenant_id, StoredFile.key == key))


def _path(tenant_id: int, key: str) -> str:
    return f"{tenant_id}/{key}"


def _bucket() -> Any:
    """The bucket of STORAGE_URL (s3://name/prefix, credentials in the environment), or None for the database."""
    url = current_app.config["STORAGE_URL"]
    if not url:
        return None
    held = current_app.extensions.get("storage")
    if held is None or held[0] != url:
        import obstore.store

        current_app.extensions["storage"] = held = (url, obstore.store.from_url(url))
    return held[1]
