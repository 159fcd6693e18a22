"""A partner's logo: taken as PNG or JPEG, drawn anew from its pixels alone, shown to its own people and in its mails."""

import hashlib
import secrets
import warnings
from io import BytesIO
from typing import Any

import structlog

from portal import storage
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Tenant

log = structlog.get_logger(__name__)
KINDS = ("PNG", "JPEG")
MOST_BYTES, MOST_PIXELS = 1_000_000, 16_000_000
WIDTH, HEIGHT = 360, 120
# Beyond that it is drawn with fewer colours: mails carry it.
LARGEST = 40_000
NOT_KEPT = "The logo could not be kept; nothing was changed. Try again in a few minutes."


class CannotTake(ValueError):
    """The logo stays as it was; the message says why."""


def change(actor: Actor, data: bytes) -> None:
    """Takes a file as the logo. Raises CannotTake. Commits.

    The storage is asked while no transaction is open: first the new file is there, then the partner names it, and only
    then the one before goes. Each upload has a key of its own, so that no other one's file is taken away.
    """
    picture = redrawn(data)
    same = f"logo-{hashlib.sha256(picture).hexdigest()[:20]}-"
    key, number = f"{same}{secrets.token_hex(8)}.png", current_tenant_id()
    if db.session.get_one(Tenant, number).logo_key.startswith(same):
        return
    db.session.commit()
    _keep(number, key, picture)
    partner = _held()
    before, partner.logo_key = partner.logo_key, key
    audit.record(actor, "partner.logo_changed", "partner", number)
    db.session.commit()
    _forget(number, before)


def remove(actor: Actor) -> bool:
    """Takes the logo away; whether there was one. Commits."""
    partner = _held()
    if not (before := partner.logo_key):
        db.session.commit()
        return False
    partner.logo_key = ""
    audit.record(actor, "partner.logo_removed", "partner", partner.id)
    db.session.commit()
    _forget(current_tenant_id(), before)
    return True


def of(partner: Tenant) -> bytes | None:
    """The PNG, for pages and printed papers; None without one. In the partner's scope. Raises StorageFailed.

    Ends the transaction, before it asks the storage and after.
    """
    db.session.commit()
    try:
        return storage.get(partner.id, partner.logo_key) if partner.logo_key else None
    finally:
        db.session.commit()


def redrawn(data: bytes) -> bytes:
    """The picture as a small PNG of our own. Raises CannotTake."""
    if len(data) > MOST_BYTES:
        raise CannotTake("The file is too large. Use one of at most 1 MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _drawn(_opened(data))
    except CannotTake:
        raise
    except Exception:  # whatever a decoder says of what is no picture
        raise CannotTake("This is no PNG or JPEG picture that can be read.") from None


def _opened(data: bytes) -> Any:
    from PIL import Image, ImageOps

    picture: Any = Image.open(BytesIO(data), formats=KINDS)
    if picture.width * picture.height > MOST_PIXELS:  # its header says so; nothing was unpacked yet
        raise CannotTake("The picture has too many pixels. Use one of at most 4,000 by 4,000.")
    picture.load()
    try:
        picture = ImageOps.exif_transpose(picture)
    except Exception:  # what a camera wrote about it is broken: it stays as it lies
        log.info("logo.turning_unknown")
    return picture.convert("RGBA")


def _drawn(picture: Any) -> bytes:
    from PIL import Image

    picture.thumbnail((WIDTH, HEIGHT))
    pixels = Image.frombytes("RGBA", picture.size, picture.tobytes())
    whole = _as_png(pixels)
    return whole if len(whole) <= LARGEST else _as_png(pixels.quantize(64))


def _as_png(picture: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _keep(partner_id: int, key: str, picture: bytes) -> None:
    try:
        storage.put(partner_id, key, picture)
        db.session.commit()
    except storage.StorageFailed as failure:
        log.warning("logo.not_kept", reason=str(failure))
        raise CannotTake(NOT_KEPT) from None


def _forget(partner_id: int, key: str) -> None:
    """Nobody names the file any more: where the storage is away, it goes with a later upkeep."""
    try:
        if key:
            storage.remove(partner_id, key)
            db.session.commit()
    except storage.StorageFailed as failure:
        log.warning("logo.not_forgotten", key=key, reason=str(failure))
        storage.drop(partner_id, [key])
        db.session.commit()


def _held() -> Tenant:
    alone = {"key_share": True}
    return db.session.get_one(Tenant, current_tenant_id(), with_for_update=alone, populate_existing=True)
