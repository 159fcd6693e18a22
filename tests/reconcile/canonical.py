"""States that differ only in what no rule ever looks at are one state: fewer to enumerate, none left out."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

from portal.models import AttemptOutcome
from portal.reconcile.decide import Act, Reading
from portal.reconcile.sent_writes import Tries, Try
from portal.reconcile.transitions import Held
from portal.reconcile.work import Phase, Work
from tests.reconcile.model import HELDS, NOBODY, T0, WORKS, State


def canonical(state: State) -> State:
    """The same state with versions, times and numbers by rank only, and what is over left out."""
    held, workers, ticks = _canonical(state.held, state.workers, state.ticks)
    return state._replace(held=held, workers=workers, ticks=ticks)


@cache
def _canonical(held_number: int, workers: tuple[int, int], ticks: int) -> tuple[int, tuple[int, int], int]:
    held: Held = HELDS.things[held_number]
    works: list[Work | None] = [WORKS.things[number] for number in workers]
    kept = _kept(held.tries, works)
    ids = {one.id: number for number, one in enumerate(kept, 1)}
    versions = _ranks([held.row.wish_version, held.row.done_version, *[w.claim.version for w in works if w]])
    times = _times(kept, works, ticks)
    row = replace(
        held.row,
        wish_version=versions[held.row.wish_version],
        done_version=versions[held.row.done_version],
    )
    tries = tuple(_plain(one, ids[one.id], times) for one in kept)
    numbers = [NOBODY if work is None else WORKS.of(_trimmed(work, ids, versions, times)) for work in works]
    return HELDS.of(Held(row, tries)), (numbers[0], numbers[1]), times[_at(ticks)]


def _kept(tries: Tries, works: list[Work | None]) -> list[Try]:
    """Open ones, those a worker still holds, and closed ones that stand beside an older open one."""
    in_hand = {work.attempt_id for work in works if work is not None}

    def matters(one: Try) -> bool:
        older = [other for other in tries if other.is_open and other.id < one.id and other.wrote == one.wrote]
        return one.is_open or one.id in in_hand or bool(older)

    return [one for one in tries if matters(one)]


def _plain(one: Try, id: int, times: dict[datetime, int]) -> Try:
    if not one.is_open:
        return Try(id, one.wrote, AttemptOutcome.CONFIRMED, False)
    if one.outcome == AttemptOutcome.OVERTAKEN and one.finished_at is not None:
        return Try(id, one.wrote, AttemptOutcome.OVERTAKEN, True, _at(times[one.finished_at]))
    return Try(id, one.wrote, AttemptOutcome.UNKNOWN, True)


def _trimmed(work: Work, ids: dict[int, int], versions: dict[int, int], times: dict[datetime, int]) -> Work:
    marks = work.claim.marks
    clearing = work.decision is not None and work.decision.act == Act.CLEAR
    if work.phase != Phase.READ and not clearing:
        marks = replace(marks, strays=frozenset())
    return replace(
        work,
        claim=replace(work.claim, version=versions[work.claim.version], marks=marks),
        attempt_id=None if work.attempt_id is None else ids.get(work.attempt_id),
        read=_read(work.read, times),
        read_back=_read(work.read_back, times),
        refused_with="",
        outcome="",
    )


def _read(read: Reading | None, times: dict[datetime, int]) -> Reading | None:
    return None if read is None else replace(read, started_at=_at(times[read.started_at]))


def _times(kept: list[Try], works: list[Work | None], ticks: int) -> dict[datetime, int]:
    """Order matters only while a try that was answered too late waits for a read that came after it."""
    marks = [one.finished_at for one in kept if one.is_open and one.outcome == AttemptOutcome.OVERTAKEN]
    reads = [read.started_at for work in works if work for read in (work.read, work.read_back) if read]
    moments = [moment for moment in marks if moment is not None]
    everything = [*moments, *reads, _at(ticks)]
    if not moments:
        return dict.fromkeys(everything, 0)
    return _ranks(everything)


def _ranks(values):  # type: ignore[no-untyped-def]
    return {value: rank for rank, value in enumerate(sorted(set(values)))}


def _at(ticks: int) -> datetime:
    return T0 + timedelta(seconds=ticks)
