"""Sync runs as pages show them: the list, one run with its counts, changes and people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from portal import clock
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.models import (
    ExceptionItem,
    ExceptionState,
    RunState,
    SyncChange,
    SyncKind,
    SyncRun,
    SyncTrigger,
    User,
)
from portal.queries import cut, paging
from portal.queries.sync_changes import ITEMS, of_run, with_names
from portal.queries.text import cleaned, containing
from portal.sync import counts, runs

KINDS = runs.KINDS
TRIGGERS = {
    SyncTrigger.CONNECT: "After connecting",
    SyncTrigger.SCHEDULE: "By the schedule",
    SyncTrigger.BUTTON: "By a button",
    SyncTrigger.RETRY: "Retry",
    SyncTrigger.COMMAND: "By an operator",
}
CHANGES_SHOWN, EXCEPTIONS_SHOWN = 200, 50
LEAST_FOR_ESTIMATE = 5.0
KEYS = (paging.Key(SyncRun.id),)


@dataclass(frozen=True)
class Filter:
    kind: str = ""
    state: str = ""
    words: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "q", "kind", "state")


@dataclass(frozen=True)
class Row:
    """What a person reads of one item's counts."""

    item: str
    words: str
    numbers: Mapping[str, int]
    because: Mapping[str, int]


@dataclass(frozen=True)
class Detail:
    """One run with all that its page shows."""

    run: SyncRun
    rows: Sequence[Row]
    changes: cut.Some
    exceptions: cut.Some
    now: datetime

    @property
    def took(self) -> timedelta | None:
        if self.run.started_at is None:
            return None
        return (self.run.finished_at or self.now) - self.run.started_at

    @property
    def left(self) -> timedelta | None:
        """How long it will still take, told from what is done, once enough is."""
        done, total, took = self.run.progress_done, self.run.progress_total, self.took
        if not total or not done or took is None or took.total_seconds() < LEAST_FOR_ESTIMATE:
            return None
        return took * max(total - done, 0) / done

    @property
    def sums(self) -> Mapping[str, int]:
        return {name: sum(row.numbers.get(name, 0) for row in self.rows) for name in counts.NUMBERS}


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; unknown words count as not given."""
    return Filter(
        kind=args["kind"] if args.get("kind") in set(SyncKind) else "",
        state=args["state"] if args.get("state") in set(RunState) else "",
        words=cleaned(args.get("q")),
        args=args,
    )


def page(chosen: Filter) -> paging.Page:
    """Runs, newest first. Words look into who started it, what it changed, and why it failed."""
    statement = (
        select(SyncRun).where(SyncRun.tenant_id == current_tenant_id()).options(joinedload(SyncRun.user))
    )
    if chosen.kind:
        statement = statement.where(SyncRun.kind == chosen.kind)
    if chosen.state:
        statement = statement.where(SyncRun.state == chosen.state)
    if chosen.words:
        statement = statement.where(_mentions(chosen.words))
    return paging.fetch(statement, KEYS, chosen.args)


def _mentions(words: str) -> Any:
    pattern = containing(words)
    changed = select(SyncChange.run_id).where(
        SyncChange.tenant_id == current_tenant_id(),
        or_(SyncChange.label.ilike(pattern), SyncChange.field.ilike(pattern)),
    )
    by = select(User.id).where(or_(User.name.ilike(pattern), User.email.ilike(pattern)))
    found: list[Any] = [SyncRun.error.ilike(pattern), SyncRun.user_id.in_(by), SyncRun.id.in_(changed)]
    if words.isdigit() and len(words) < 19:
        found.append(SyncRun.id == int(words))
    return or_(*found)


def newest_changes(run: SyncRun, most: int) -> cut.Some:
    """The fields that a run changed last, and how many it changed."""
    found = cut.first(of_run(run.id).order_by(SyncChange.id.desc()), most)
    return cut.Some(with_names(db.session(), found.rows), found.total)


def detail(run: SyncRun) -> Detail:
    """All that one run's page shows."""
    return Detail(
        run=run,
        rows=rows_of(run),
        changes=newest_changes(run, CHANGES_SHOWN),
        exceptions=_exceptions(run.id),
        now=clock.now(),
    )


def rows_of(run: SyncRun) -> list[Row]:
    """Items in their order; those that the run has not looked at are left out."""
    found = []
    for item, words in ITEMS.items():
        held = run.items.get(item, {})
        numbers = {name: held.get(name, 0) for name in (*counts.NUMBERS, "removed")}
        if any(numbers.values()):
            found.append(Row(item, words, numbers, held.get("skipped_because", {})))
    return found


def detail_sums(run: SyncRun) -> Mapping[str, int]:
    """The run's numbers over all items, for a list."""
    return {name: sum(held.get(name, 0) for held in run.items.values()) for name in counts.NUMBERS}


def _exceptions(run_id: int) -> cut.Some:
    mine = scoped(ExceptionItem).where(ExceptionItem.run_id == run_id)
    is_open = ExceptionItem.state == ExceptionState.OPEN
    return cut.first(mine.where(is_open).order_by(ExceptionItem.id.desc()), EXCEPTIONS_SHOWN)
