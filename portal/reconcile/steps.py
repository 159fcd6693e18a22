"""One delivery, step by step: each step is one transaction or one call to Autotask, never both.

`advance` takes the work one step further, so that a test can stop, kill and interleave between any two.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from portal import clock
from portal.autotask.errors import AutotaskError, BadRecord, Rejected, Unauthorized
from portal.autotask.wire import with_offset
from portal.models import AttemptOutcome
from portal.reconcile.decide import Act, Decision, Known, Marks, Reading, decide, reading_of
from portal.reconcile.delivery_row import LEAST_LEFT, Trouble
from portal.reconcile.failures import NOT_TAKEN, UNKNOWN, not_cleared, trouble_of

INVOICES = "Invoices"
NO_SUCH_VERB = 405


@dataclass(frozen=True)
class Claim:
    """A delivery that is ours for 90 seconds, as it stood when it was taken."""

    delivery_id: int
    invoice_id: int
    autotask_id: int
    token: str
    version: int
    wish_paid_on: date | None
    marks: Marks
    known: Known


class Phase(StrEnum):
    READ = "read"
    BEGIN = "begin"
    SEND = "send"
    VERIFY = "verify"
    SETTLE = "settle"
    LEARN = "learn"
    FAIL = "fail"
    RELEASE = "release"
    DONE = "done"


@dataclass(frozen=True)
class Work:
    """How far one delivery has come. `by_put` is the second way of clearing, or of writing where PATCH is none."""

    claim: Claim
    phase: Phase = Phase.READ
    read: Reading | None = None
    decision: Decision | None = None
    by_put: bool = False
    attempt_id: int | None = None
    send_before: float = 0.0
    sent: bool = False
    unknown: bool = False
    refused_with: str = ""
    read_back: Reading | None = None
    trouble: Trouble | None = None
    outcome: str = ""
    calls: int = 0


class Store(Protocol):
    """Where deliveries are kept; every method is one short transaction."""

    def now(self) -> datetime: ...
    def begin(self, work: Work) -> int | None: ...
    def settle(self, work: Work) -> None: ...
    def learn(self, work: Work) -> None: ...
    def fail(self, work: Work) -> None: ...
    def release(self, work: Work) -> None: ...


class Autotask(Protocol):
    """The part of the client that deliveries use."""

    def get(self, entity: str, id: int) -> dict[str, Any]: ...
    def patch(self, entity: str, body: dict[str, Any]) -> None: ...
    def put(self, entity: str, body: dict[str, Any]) -> None: ...


def advance(work: Work, store: Store, autotask: Autotask) -> Work:
    """The work after its next step. Unauthorized gives the delivery back and is raised."""
    try:
        return STEPS[work.phase](work, store, autotask)
    except Unauthorized:
        store.release(work)
        raise
    except (AutotaskError, BadRecord) as error:
        trouble = replace(trouble_of(error), maybe_applied=work.sent)
        return replace(work, phase=Phase.FAIL, trouble=trouble, calls=work.calls + 1)


def _read(work: Work, store: Store, autotask: Autotask) -> Work:
    """K2: read first, then decide."""
    started_at = store.now()
    read = reading_of(autotask.get(INVOICES, work.claim.autotask_id), started_at)
    decision = decide(work.claim.wish_paid_on, work.claim.marks, work.claim.known, read)
    work = replace(work, read=read, decision=decision, calls=work.calls + 1)
    if decision.act == Act.REFUSE:
        trouble = Trouble(decision.kind, decision.sentence, final=True)
        return replace(work, phase=Phase.FAIL, trouble=trouble)
    return replace(work, phase=NEXT[decision.act])


NEXT = {Act.NOTHING: Phase.SETTLE, Act.LEARN: Phase.LEARN, Act.WRITE: Phase.BEGIN, Act.CLEAR: Phase.BEGIN}


def _begin(work: Work, store: Store, _: Autotask) -> Work:
    """K3 and K4: still ours, and written down before anything is sent."""
    send_before = clock.monotonic() + LEAST_LEFT.total_seconds() / 2
    attempt_id = store.begin(work)
    if attempt_id is None:
        return replace(work, phase=Phase.RELEASE, outcome=AttemptOutcome.OVERTAKEN)
    return replace(work, phase=Phase.SEND, attempt_id=attempt_id, send_before=send_before)


def _send(work: Work, _: Store, autotask: Autotask) -> Work:
    """The one write. Whatever becomes of it, the next thing is to look."""
    if clock.monotonic() > work.send_before:
        return replace(work, phase=Phase.RELEASE, outcome=AttemptOutcome.OVERTAKEN)
    work = replace(work, phase=Phase.VERIFY, calls=work.calls + 1)
    try:
        if work.by_put:
            autotask.put(INVOICES, replaced(work))
        else:
            autotask.patch(INVOICES, {"id": work.claim.autotask_id, "paidDate": _target(work)})
    except Rejected as error:
        only_put = error.status == NO_SUCH_VERB and not work.by_put
        if _target(work) is not None and not only_put:
            raise
        return _not_taken(work, error.texts[0] if error.texts else str(error))
    except AutotaskError as error:
        trouble = trouble_of(error)
        if not trouble.maybe_applied:
            raise
        return replace(work, sent=True, unknown=True)
    return replace(work, sent=True)


def replaced(work: Work) -> dict[str, Any]:
    """The second way: all that can be written, as just read, with the paid date that is wished, or without one.

    PUT empties what is left out (docs/autotask.md, Clearing a paid date).
    """
    read = work.read_back or work.read
    assert read is not None
    kept = {"invoiceNumber": read.number, "webServiceDate": with_offset(read.web_service_date)}
    mark = {} if _target(work) is None else {"paidDate": _target(work)}
    return {"id": work.claim.autotask_id, **kept, **mark}


def _verify(work: Work, store: Store, autotask: Autotask) -> Work:
    """K5: only what is read back counts; nothing else may have moved."""
    started_at = store.now()
    read_back = reading_of(autotask.get(INVOICES, work.claim.autotask_id), started_at)
    work = replace(work, read_back=read_back, calls=work.calls + 1)
    if read_back.paid_on == _target(work):
        return replace(work, phase=Phase.SETTLE, outcome=AttemptOutcome.CONFIRMED)
    if _target(work) is None and not work.unknown and _same_mark(work):
        return _not_taken(work, work.refused_with)
    return _fail(work, UNKNOWN if work.unknown else NOT_TAKEN)


def _same_mark(work: Work) -> bool:
    before, after = work.read, work.read_back
    return before is not None and after is not None and before.paid_on == after.paid_on


def _not_taken(work: Work, said: str) -> Work:
    """The first way did not take: the second one, then a person (rule 5.5)."""
    if work.by_put and work.read_back is not None and work.read_back.paid_on in work.claim.marks.strays:
        return _fail(work, NOT_TAKEN)  # it may have been cleared, and a late write of ours came after
    if work.by_put:
        return _fail(replace(work, refused_with=said), replace(not_cleared(said), maybe_applied=work.sent))
    return replace(work, phase=Phase.BEGIN, by_put=True, refused_with=said, unknown=False)


def _settle(work: Work, store: Store, _: Autotask) -> Work:
    store.settle(work)
    return replace(work, phase=Phase.DONE, outcome=work.outcome or AttemptOutcome.NOTHING_TO_DO)


def _learn(work: Work, store: Store, _: Autotask) -> Work:
    store.learn(work)
    return replace(work, phase=Phase.DONE)


def _fail_step(work: Work, store: Store, _: Autotask) -> Work:
    store.fail(work)
    return replace(work, phase=Phase.DONE)


def _release(work: Work, store: Store, _: Autotask) -> Work:
    store.release(work)
    return replace(work, phase=Phase.DONE)


def _fail(work: Work, trouble: Trouble) -> Work:
    return replace(work, phase=Phase.FAIL, trouble=trouble)


def moved(work: Work) -> bool:
    """True when a field that we never change differs after our write."""
    before, after = work.read, work.read_back
    if before is None or after is None:
        return False
    return (before.number, before.web_service_date) != (after.number, after.web_service_date)


def _target(work: Work) -> date | None:
    return work.decision.paid_on if work.decision else None


STEPS: dict[str, Callable[[Work, Store, Autotask], Work]] = {
    Phase.READ: _read,
    Phase.BEGIN: _begin,
    Phase.SEND: _send,
    Phase.VERIFY: _verify,
    Phase.SETTLE: _settle,
    Phase.LEARN: _learn,
    Phase.FAIL: _fail_step,
    Phase.RELEASE: _release,
}
