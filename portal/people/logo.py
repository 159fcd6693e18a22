"""A partner's logo: taken as PNG or JPEG, drawn anew from its pixels alone, shown to its own people and in its mails."""

import hashlib
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


class CannotTake(ValueError):
    """The logo stays as it was; the message says why."""


def change(actor: Actor, data: bytes) -> None:
    """Takes a file as the logo. Raises CannotTake, StorageFailed. The caller commits."""
    picture, partner = redrawn(data), _held()
    before, key = partner.logo_key, f"logo-{hashlib.sha256(picture).hexdigest()[:20]}.png"
    if key == before:
        return
    storage.put(partner.id, key, picture)
    partner.logo_key = key
    audit.record(actor, "partner.logo_changed", "partner", partner.id)
    if before:
        storage.remove(partner.id, before)


def remove(actor: Actor) -> bool:
    """Takes the logo away; whether there was one. Raises StorageFailed. The caller commits."""
    partner = _held()
    if not (before := partner.logo_key):
        return False
    partner.logo_key = ""
    audit.record(actor, "partner.logo_removed", "partner", partner.id)
    storage.remove(partner.id, before)
    return True


def of(partner: Tenant) -> bytes | None:
    """The PNG, for pages and printed papers; None without one. In the partner's scope. Raises StorageFailed."""
    return storage.get(partner.id, partner.logo_key) if partner.logo_key else None


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


def _held() -> Tenant:
    alone = {"key_share": True}
    return db.session.get_one(Tenant, current_tenant_id(), with_for_update=alone, populate_existing=True)
