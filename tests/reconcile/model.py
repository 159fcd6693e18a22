"""A small world in which the real steps of a delivery run: one invoice, two workers, an Autotask that misbehaves.

The steps, the decision and the rules are the portal's own (portal.reconcile.delivery_steps, decide, transitions); only storage
and wire are replaced. Every part of a state is immutable and known by number, and every move of a part is worked
out once, so that all interleavings can be enumerated in seconds.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from portal.autotask.errors import Unavailable
from portal.models import AttemptOutcome, DeliveryState
from portal.reconcile import delivery_row, delivery_steps, timing, transitions
from portal.reconcile.decide import Known, Reading
from portal.reconcile.delivery_row import Row
from portal.reconcile.transitions import Held
from portal.reconcile.work import Claim, Phase, Work

T0 = datetime(2026, 11, 19, 12, tzinfo=UTC)
D1, D2 = date(2026, 11, 18), date(2026, 11, 19)
KNOWN = Known()
RAN_OUT, FOR_EVER = T0 - timedelta(seconds=1), T0 + timedelta(days=1)


class Numbers:
    """Gives equal things the same small number."""

    def __init__(self) -> None:
        self.known: dict[Hashable, int] = {}
        self.things: list[Any] = []

    def of(self, thing: Hashable) -> int:
        number = self.known.setdefault(thing, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


HELDS, WORKS = Numbers(), Numbers()
NOBODY = WORKS.of(None)


class Faults(NamedTuple):
    """What the adversary may still do. `changes` of the wish are of its own choice."""

    changes: int = 3
    crashes: int = 1
    lease_losses: int = 2
    odd_answers: int = 1
    early_sweeps: int = 0
    fine: int = 1
    wishes: tuple[date | None, ...] = (None, D1, D2)
    answers: tuple[str, ...] = ("late", "reply lost")


class State(NamedTuple):
    """Everything there is. `wire` holds writes that Autotask has yet to carry out; `ticks` orders reads."""

    held: int
    workers: tuple[int, int]
    paid_on: date | None
    wire: tuple[date | None, ...]
    ticks: int
    faults: Faults


class Moved(NamedTuple):
    """What one step of a worker changed. `asked` and `wrote` tell whether it called Autotask."""

    held: int
    worker: int
    paid_on: date | None
    wire: tuple[date | None, ...]
    ticks: int
    asked: bool
    wrote: bool


@dataclass
class Side:
    """Store and Autotask of one step; `answer` says how Autotask treats the call, if the step makes one."""

    held: Held
    paid_on: date | None
    ticks: int
    answer: str = "well"
    wire: tuple[date | None, ...] = ()
    asked: bool = False
    wrote: bool = False

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.ticks)

    def begin(self, work: Work) -> int | None:
        new_id = 1 + max([one.id for one in self.held.tries], default=0)
        if not transitions.may_begin(self.held, work, self.now()):
            return None
        self.held = transitions.begin(self.held, work, new_id, self.now())
        return new_id

    def settle(self, work: Work) -> None:
        self.held = transitions.settle(self.held, work, self.now())

    def learn(self, work: Work) -> None:
        raise AssertionError("totals do not move here")

    def fail(self, work: Work) -> None:
        self.held = transitions.fail(self.held, work, self.now(), lambda low, high: low)

    def release(self, work: Work) -> None:
        self.held = transitions.release(self.held, work, self.now())

    def get(self, entity: str, id: int) -> dict[str, Any]:
        self.asked = True
        if self.answer != "well":
            raise Unavailable("no answer")
        return item(self.paid_on)

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        self._write(body["paidDate"])

    def put(self, entity: str, body: dict[str, Any]) -> None:
        self._write(None)

    def _write(self, value: date | None) -> None:
        self.asked = self.wrote = True
        if self.answer == "late":
            self.wire = (value,)
        elif self.answer != "lost":
            self.paid_on = value
        if self.answer != "well":
            raise Unavailable("no answer", maybe_applied=True)


def item(paid_on: date | None) -> dict[str, Any]:
    """An invoice as Autotask sends it."""
    return {
        "id": 1,
        "invoiceNumber": "1",
        "companyID": 1,
        "invoiceDateTime": "2026-11-01T00:00:00",
        "dueDate": None,
        "invoiceTotal": 0,
        "totalTaxValue": 0,
        "paidDate": None if paid_on is None else f"{paid_on.isoformat()}T00:00:00",
        "isVoided": False,
        "voidedDate": None,
        "createDateTime": "2026-11-01T00:00:00Z",
        "webServiceDate": None,
    }


def start(faults: Faults) -> State:
    row = Row(wish_paid_on=None, wish_version=1, done_version=1, state=DeliveryState.CONFIRMED)
    return State(HELDS.of(Held(row)), (NOBODY, NOBODY), None, (), 0, faults)


def held_of(state: State) -> Held:
    found: Held = HELDS.things[state.held]
    return found


def events(state: State) -> Iterator[tuple[str, State]]:
    """Every next event, with its name. A worker dies right after a step: a dead one and one that never steps
    again are the same. A lease runs out when somebody takes over, or before its owner begins to write."""
    yield from _changes(state)
    for index, value in enumerate(state.wire):
        wire = state.wire[:index] + state.wire[index + 1 :]
        yield f"late write {value} arrives", state._replace(wire=wire, paid_on=value)
    yield from _sweeps(state)
    for index in range(2):
        if state.workers[index] == NOBODY:
            yield from _claims(state, index)
        else:
            yield from _or_dies(state, index, _steps(state, index))
            yield from _lease_loss(state, index)


def is_quiet(state: State) -> bool:
    """Nothing is on its way: what is true now stays true unless somebody looks."""
    idle = state.workers == (NOBODY, NOBODY) and not state.wire and not state.faults.changes
    return idle and held_of(state).row.state in (DeliveryState.CONFIRMED, DeliveryState.PARKED)


def _changes(state: State) -> Iterator[tuple[str, State]]:
    if state.faults.changes:
        faults = state.faults._replace(changes=state.faults.changes - 1)
        for wish in state.faults.wishes:
            if wish != held_of(state).row.wish_paid_on:
                yield f"wish {wish}", state._replace(held=_wished(state.held, wish), faults=faults)


@cache
def _wished(held: int, wish: date | None) -> int:
    before: Held = HELDS.things[held]
    return HELDS.of(replace(before, row=wished(before.row, wish)))


def wished(row: Row, wish: date | None) -> Row:
    """What the ledger's statement does (portal/ledger/derive.py, WISHES)."""
    state = DeliveryState.SENDING if row.state == DeliveryState.SENDING else DeliveryState.WAITING
    version = row.wish_version + 1
    return replace(row, wish_paid_on=wish, wish_version=version, state=state, next_try_at=T0, attempts=0)


def _sweeps(state: State) -> Iterator[tuple[str, State]]:
    """The sweep comes in the end, and a few times in between."""
    quiet = is_quiet(state)
    after = (
        _swept(state.held, state.paid_on, state.ticks) if quiet or state.faults.early_sweeps else state.held
    )
    if after != state.held:
        left = state.faults.early_sweeps - (not quiet)
        yield "sweep", state._replace(held=after, faults=state.faults._replace(early_sweeps=left))


@cache
def _swept(held: int, paid_on: date | None, ticks: int) -> int:
    before: Held = HELDS.things[held]
    read = Reading(paid_on, T0 + timedelta(seconds=ticks))
    return HELDS.of(_without_detail(transitions.compare(before, KNOWN, read, read.started_at), None))


def _claims(state: State, index: int) -> Iterator[tuple[str, State]]:
    """An idle worker takes what is due, or takes over from one whose lease ran out."""
    free = _free(state, index)
    claimed = None if free is None else _claimed(free.held, free.ticks, index)
    if free is None or claimed is None:
        return
    taken = _with(free._replace(held=claimed[0]), index, claimed[1])
    if state.faults.fine:
        yield f"worker {index} claims", taken
    else:
        yield from _or_dies(taken, index, _steps(taken, index))


def _free(state: State, index: int) -> State | None:
    """The state with a lease that ran out, if there was one to run out."""
    row, faults = held_of(state).row, state.faults
    if row.lease_until != FOR_EVER:
        return state
    if state.workers[int(str(row.lease_token)[-1])] == NOBODY:
        return state._replace(held=_ran_out(state.held))
    if not faults.lease_losses:
        return None
    return state._replace(
        held=_ran_out(state.held), faults=faults._replace(lease_losses=faults.lease_losses - 1)
    )


@cache
def _claimed(held: int, ticks: int, index: int) -> tuple[int, int] | None:
    before: Held = HELDS.things[held]
    if not timing.is_due(before.row, T0):
        return None
    row, token = before.row, f"worker {index}"
    claim = Claim(1, 1, 1, token, row.wish_version, row.wish_paid_on, before.marks, KNOWN)
    # Time stands still here: leases run out by an event of their own.
    taken = replace(delivery_row.claimed(row, token, T0), lease_until=FOR_EVER)
    return HELDS.of(replace(before, row=taken)), WORKS.of(Work(claim))


def _steps(state: State, index: int) -> Iterator[tuple[str, State]]:
    work: Work = WORKS.things[state.workers[index]]
    moved = _step(state.held, state.workers[index], state.paid_on, state.ticks, "well")
    after = _after(state, index, moved)
    if not state.faults.fine and work.phase in (Phase.READ, Phase.VERIFY):
        after = _with_its_transaction(after, index)
    yield f"worker {index} {work.phase}", after
    if moved.asked and state.faults.odd_answers:
        faults = state.faults._replace(odd_answers=state.faults.odd_answers - 1)
        for answer in state.faults.answers if moved.wrote else ():
            odd = _step(state.held, state.workers[index], state.paid_on, state.ticks, answer)
            after = _after(state._replace(faults=faults), index, odd)
            if not state.faults.fine and not moved.wrote:
                after = _with_its_transaction(after, index)
            yield f"worker {index} {work.phase}, {answer}", after


def _with_its_transaction(state: State, index: int) -> State:
    """Coarse: a read and the transaction that keeps its result are one step."""
    work: Work | None = WORKS.things[state.workers[index]]
    if work is None or work.phase in (Phase.BEGIN, Phase.SEND):
        return state
    return _after(state, index, _step(state.held, state.workers[index], state.paid_on, state.ticks, "well"))


@cache
def _step(held: int, worker: int, paid_on: date | None, ticks: int, answer: str) -> Moved:
    side = Side(HELDS.things[held], paid_on, ticks, answer)
    work = delivery_steps.advance(WORKS.things[worker], side, side)
    ended = work.phase == Phase.DONE
    kept = _without_detail(side.held, work)
    overtaken = sum(one.outcome == AttemptOutcome.OVERTAKEN and one.is_open for one in kept.tries)
    before = sum(one.outcome == AttemptOutcome.OVERTAKEN and one.is_open for one in HELDS.things[held].tries)
    return Moved(
        HELDS.of(kept),
        NOBODY if ended else WORKS.of(replace(work, send_before=float("inf"), calls=0)),
        side.paid_on,
        side.wire,
        ticks + (overtaken > before),
        side.asked,
        side.wrote,
    )


def _without_detail(held: Held, work: Work | None) -> Held:
    """Pauses, counters and sentences do not matter for what is right in the end."""
    row = replace(
        held.row,
        next_try_at=None if held.row.next_try_at is None else T0,
        attempts=0,
        error=None,
        error_kind=None,
        sent_at=None,
        confirmed_at=None,
    )
    return Held(row, held.tries)


def _after(state: State, index: int, moved: Moved) -> State:
    wire = tuple(sorted(state.wire + moved.wire, key=str))
    after = state._replace(held=moved.held, paid_on=moved.paid_on, wire=wire, ticks=moved.ticks)
    return _with(after, index, moved.worker)


def _with(state: State, index: int, worker: int) -> State:
    other = state.workers[1 - index]
    return state._replace(workers=(worker, other) if index == 0 else (other, worker))


def _or_dies(
    state: State, index: int, steps_taken: Iterator[tuple[str, State]]
) -> Iterator[tuple[str, State]]:
    """Each step, and each step after which the worker dies; or it dies with its write on the wire."""
    crashes = state.faults.crashes
    for name, after in steps_taken:
        yield name, after
        if crashes and after.workers[index] != NOBODY:
            faults = after.faults._replace(crashes=crashes - 1)
            yield f"{name}, and dies", _with(after._replace(faults=faults), index, NOBODY)
    work: Work = WORKS.things[state.workers[index]]
    if crashes and work.phase == Phase.SEND and work.decision is not None:
        wire = tuple(sorted((*state.wire, work.decision.paid_on), key=str))
        faults = state.faults._replace(crashes=crashes - 1)
        gone = _with(state._replace(faults=faults, wire=wire), index, NOBODY)
        yield f"worker {index} dies with its write on the wire", gone


def _lease_loss(state: State, index: int) -> Iterator[tuple[str, State]]:
    work: Work = WORKS.things[state.workers[index]]
    row, losses = held_of(state).row, state.faults.lease_losses
    held_by_it = row.lease_until == FOR_EVER and row.lease_token == work.claim.token
    if losses and held_by_it and work.phase == Phase.BEGIN:
        faults = state.faults._replace(lease_losses=losses - 1)
        yield f"lease of worker {index} runs out", state._replace(held=_ran_out(state.held), faults=faults)


@cache
def _ran_out(held: int) -> int:
    before: Held = HELDS.things[held]
    return HELDS.of(replace(before, row=replace(before.row, lease_until=RAN_OUT)))


def clear_memory() -> None:
    """Forgets what was worked out, because the rules are about to be replaced."""
    for remembered in (_wished, _swept, _claimed, _step, _ran_out):
        remembered.cache_clear()
