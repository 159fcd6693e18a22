"""One bad record never stops a page: it becomes one exception, which closes when the record comes in well."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import update
from sqlalchemy.exc import DataError, IntegrityError

from portal import attention, clock
from portal.access.tenancy import current_tenant_id
from portal.autotask.errors import BadRecord
from portal.extensions import db
from portal.models import NOT_TAKEN_IN, Cause, ExceptionItem, ExceptionState, SyncChange
from portal.sync import counts, record_kinds

MOST_BAD, SHARE_BAD = 50, 0.05
# COPY speaks past SQLAlchemy, so its refusals come as psycopg's own.
UNSTORABLE = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError, UnicodeError)


class TooManyBad(Exception):
    """So many records cannot be read that something general must be wrong."""


@dataclass
class BadRecords:
    """The records of a run that cannot be taken in. `open` are the exceptions that stand, by kind of record."""

    run_id: int
    items: counts.Items
    open: dict[str, set[str]]

    def parsed(
        self, item: str, read: Callable[[Any], dict[str, Any]], rows: Iterable[Any]
    ) -> list[dict[str, Any]]:
        """The good records of a page. The bad ones are kept as exceptions, in the caller's transaction."""
        good, bad = [], []
        for row in rows:
            try:
                good.append(read(row))
            except BadRecord as error:
                bad.append(error)
        counts.add(self.items, item, found=len(good) + len(bad))
        for spoilt in bad:
            self.put_aside(item, spoilt)
        return good

    def put_aside(self, item: str, error: BadRecord) -> None:
        """Opens the record's exception, or counts another sighting. Raises TooManyBad."""
        kind = record_kinds.BY_ENTITY[error.entity]
        subject, word = kind.subject, kind.one
        named = f"{word} {error.autotask_id}" if error.autotask_id is not None else f"{word} without ID"
        self.failed(item, subject, named, f"{error.field} {error.reason}", autotask_id=error.autotask_id)
        key = key_of(error)
        attention.open_item(
            Cause.BAD_RECORD,
            kind.subject,
            key,
            label=named,
            detail=(
                f"{named} was not taken in, because its {error.field} {error.reason}. Everything else was. "
                "Correct it in Autotask; the next sync that reads it closes this by itself."
            ),
            theirs={error.field: error.value},
            run_id=self.run_id,
        )
        self.open.setdefault(kind.subject, set()).add(key)
        held = self.items[item]
        if held["failed"] > MOST_BAD and held["failed"] > held["found"] * SHARE_BAD:
            raise TooManyBad(
                f"{held['failed']:,} of {held['found']:,} records of Autotask could not be read, so reading was "
                "stopped. Something general has changed there."
            )

    def failed(
        self,
        item: str,
        subject: str,
        label: str,
        reason: str,
        *,
        autotask_id: int | None,
        row_id: int = 0,
    ) -> None:
        """Counts a record that did not come in, and names it among what the run tells."""
        counts.add(self.items, item, failed=1)
        db.session.add(
            SyncChange(
                tenant_id=current_tenant_id(),
                run_id=self.run_id,
                subject_type=subject,
                subject_id=row_id,
                autotask_id=autotask_id,
                label=label,
                field=NOT_TAKEN_IN,
                new_value=reason,
            )
        )

    def came_in_well(self, subject: str, autotask_ids: Iterable[int]) -> None:
        """Closes the exceptions of records that were read and written now."""
        held = self.open.get(subject)
        if not held:
            return
        mended = held.intersection(map(str, autotask_ids))
        attention.close_items(
            Cause.BAD_RECORD, subject, sorted(mended), "Closed by itself: the record came in well."
        )
        held -= mended

    def not_seen_again(self, subject: str) -> None:
        """After a complete read, closes the exceptions of bad records that are no longer there."""
        if not self.open.get(subject):
            return
        db.session.execute(
            update(ExceptionItem)
            .where(
                ExceptionItem.tenant_id == current_tenant_id(),
                ExceptionItem.cause == Cause.BAD_RECORD,
                ExceptionItem.subject_type == subject,
                ExceptionItem.state == ExceptionState.OPEN,
                ExceptionItem.run_id != self.run_id,
            )
            .values(
                state=ExceptionState.RESOLVED,
                resolved_at=clock.now(),
                resolution="Closed by itself: a complete read no longer found the record.",
            )
        )

    def one_by_one(self, item: str, entity: str, rows: list[Any], write: Callable[[list[Any]], None]) -> None:
        """Writes a page; when the database refuses a value, row by row, so that only the refused ones stay out."""
        try:
            with db.session.begin_nested():
                write(rows)
            return
        except UNSTORABLE:
            pass
        for row in rows:
            try:
                with db.session.begin_nested():
                    write([row])
            except UNSTORABLE as error:
                reason = "holds a value that cannot be stored"
                self.put_aside(item, BadRecord(entity, row["autotask_id"], "record", str(error), reason))


def key_of(error: BadRecord) -> str:
    """The record's ID, or a digest of what is wrong where it has none."""
    if error.autotask_id is not None:
        return str(error.autotask_id)
    return "unnamed-" + hashlib.sha256(str(error).encode("utf-8", "replace")).hexdigest()[:16]
