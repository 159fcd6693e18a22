"""The chain of a partner's audit log, keyed: who can write to the database cannot make it fit again.

Each event is signed over the one before it (HMAC, AUDIT_KEYS); the head, outside the table, is signed over how far
the log goes. Events without a key are those of releases that had none.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import current_app
from sqlalchemy import select

from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import AuditEvent, AuditHead

GENESIS = b"\0" * 32
# A release that signs nothing may still run beside this one for the time of a deploy, or of a rollback.
OVERLAP = timedelta(days=1)
CHAINED = (
    "tenant_id",
    "position",
    "at",
    "event",
    "user_id",
    "true_user_id",
    "source",
    "visit_id",
    "request_id",
    "subject_type",
    "subject_id",
    "details",
)


@dataclass
class Verdict:
    """What a look at the whole log found. `broken_at` is a position, `why` a sentence; None where all fits.

    `unsigned` events at the end were written by a release without a key, or without a head, and none that moves the
    head follows yet.
    """

    events: int = 0
    broken_at: int | None = None
    why: str | None = None
    unsigned: int = 0
    head: str | None = None


class Misfit(Exception):
    """The log does not fit its chain at a position, or its head."""

    def __init__(self, position: int, why: str) -> None:
        self.position, self.why = position, why


def newest_key() -> str:
    """The version that signs now."""
    return next(iter(current_app.config["AUDIT_KEYS"]))


def event_hash(row: AuditEvent) -> bytes:
    """Over the hash before and the canonical JSON of the row, by the key that `signed_by` names."""
    body = {name: getattr(row, name) for name in CHAINED}
    body["at"] = row.at.timestamp()
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    message = bytes(row.previous_hash) + canonical.encode()
    return (
        hashlib.sha256(message).digest()
        if row.signed_by is None
        else signed(row.signed_by, b"event", message)
    )


def head_signature(head: AuditHead) -> bytes:
    since = head.since.astimezone(UTC).isoformat()
    message = f"{head.tenant_id} {head.position} {bytes(head.hash).hex()} {since}"
    return signed(head.signed_by, b"head", message.encode())


def is_ours(head: AuditHead) -> bool:
    """Whether one of our keys signed it."""
    try:
        return hmac.compare_digest(bytes(head.signature), head_signature(head))
    except KeyError:
        return False


def signed(version: str, what: bytes, message: bytes) -> bytes:
    """The kind of thing and the key's version are signed too. Raises KeyError for a version not configured."""
    key = current_app.config["AUDIT_KEYS"][version]
    return hmac.digest(key, b"audit " + what + b" " + version.encode() + b"\0" + message, "sha256")


def new_head(tenant_id: int, position: int, hash_: bytes, since: datetime) -> AuditHead:
    """A head signed with the newest key; not in any session."""
    head = AuditHead(tenant_id=tenant_id, position=position, hash=hash_, since=since, signed_by=newest_key())
    head.signature = head_signature(head)
    return head


def verdict() -> Verdict:
    """Reads the partner's whole log, one row at a time, and its head."""
    found = Verdict()
    mine = select(AuditHead).where(AuditHead.tenant_id == current_tenant_id())
    head = db.session.scalar(mine.execution_options(populate_existing=True))
    in_order = scoped(AuditEvent).order_by(AuditEvent.position).execution_options(yield_per=500)
    try:
        with closing(db.session.scalars(in_order)) as rows:
            _check_rows(rows, head, found)
        _check_head(head, found.events)
    except Misfit as misfit:
        found.broken_at, found.why = misfit.position, misfit.why
    if head is not None:
        found.head = f"{head.position}:{bytes(head.hash).hex()}"
    return found


def holds(head: str) -> bool:
    """Whether the log holds the event that a head from elsewhere, `position:hash`, names."""
    position, _, hash_ = head.partition(":")
    if not position.isdecimal():
        return False
    known = scoped(AuditEvent).with_only_columns(AuditEvent.hash).where(AuditEvent.position == int(position))
    row: bytes | None = db.session.scalar(known)
    return row is not None and bytes(row).hex() == hash_


def _check_rows(rows: Iterable[AuditEvent], head: AuditHead | None, found: Verdict) -> None:
    previous = GENESIS
    for row in rows:
        found.events += 1
        _check_row(row, previous, found.events)
        if head is not None:
            _check_against_head(row, head)
            found.unsigned += row.position > head.position
        previous = bytes(row.hash)


def _check_head(head: AuditHead | None, events: int) -> None:
    if head is None:
        raise Misfit(events, "Its head is missing. Each partner has one from its first event on.")
    if not is_ours(head):
        raise Misfit(head.position, "Its head does not carry our signature.")
    if events < head.position:
        gone = head.position - events
        raise Misfit(events + 1, f"{gone} events at its end are missing: the head counts {head.position}.")


def _check_row(row: AuditEvent, previous: bytes, expected: int) -> None:
    if row.position != expected or bytes(row.previous_hash) != previous:
        raise Misfit(row.position, "It does not follow the event before it.")
    try:
        fits = hmac.compare_digest(bytes(row.hash), event_hash(row))
    except KeyError:
        raise Misfit(row.position, _unknown(row.signed_by)) from None
    if not fits:
        raise Misfit(row.position, "It is not what was written.")


def _check_against_head(row: AuditEvent, head: AuditHead) -> None:
    if row.signed_by is None and row.at > head.since + OVERLAP:
        raise Misfit(row.position, f"It is not signed, and has to be since {head.since:%Y-%m-%d}.")
    if row.position == head.position and bytes(row.hash) != bytes(head.hash):
        raise Misfit(row.position, "It is not the one that the head names.")
    if row.position > head.position and row.signed_by is not None:
        raise Misfit(row.position, f"The head ends at {head.position}: it was put back to an older one.")


def _unknown(version: str | None) -> str:
    return f"It is signed with the key {version!r}, which is not in AUDIT_KEYS."
