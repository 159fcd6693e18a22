"""One delivery, step by step: each step is one transaction or one call to Autotask, never both.

`advance` takes the work one step further, so that a test can stop, kill and interleave between any two.
"""

from collections.abc import Callable
from dataclasses import replace

from portal import clock
from portal.autotask.errors import AutotaskError, BadRecord, Rejected, Unauthorized
from portal.models import AttemptOutcome
from portal.reconcile import clearing
from portal.reconcile.decide import Act, decide, reading_of
from portal.reconcile.failures import NOT_TAKEN, UNKNOWN, Failure, failure_of
from portal.reconcile.timing import SEND_WITHIN
from portal.reconcile.work import INVOICES, Autotask, Phase, Store, Work

NO_SUCH_VERB = 405


def advance(work: Work, store: Store, autotask: Autotask) -> Work:
    """The work after its next step. Unauthorized gives the delivery back and is raised."""
    try:
        return STEPS[work.phase](work, store, autotask)
    except Unauthorized:
        store.release(work)
        raise
    except (AutotaskError, BadRecord) as error:
        failure = replace(failure_of(error), maybe_applied=work.sent)
        return replace(work, phase=Phase.FAIL, failure=failure, calls=work.calls + 1)


def _read(work: Work, store: Store, autotask: Autotask) -> Work:
    """K2: read first, then decide."""
    started_at = store.now()
    read = reading_of(autotask.get(INVOICES, work.claim.autotask_id), started_at)
    decision = decide(work.claim.wish_paid_on, work.claim.marks, work.claim.known, read)
    work = replace(work, read=read, decision=decision, calls=work.calls + 1)
    if decision.act == Act.REFUSE:
        failure = Failure(decision.kind, decision.sentence, final=True)
        return work.failed(failure)
    return replace(work, phase=NEXT[decision.act])


NEXT = {Act.NOTHING: Phase.SETTLE, Act.LEARN: Phase.LEARN, Act.WRITE: Phase.BEGIN, Act.CLEAR: Phase.BEGIN}


def _begin(work: Work, store: Store, _: Autotask) -> Work:
    """K3 and K4: still ours, and written down before anything is sent."""
    send_before = latest_send()
    return begun(work, store.begin(work), send_before)


def latest_send() -> float:
    """Asked before a write is promised: by then it has to leave."""
    return clock.monotonic() + SEND_WITHIN.total_seconds()


def begun(work: Work, attempt_id: int | None, send_before: float) -> Work:
    """The work after K4; None when it may not be sent."""
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
            autotask.put(INVOICES, clearing.replaced(work))
        else:
            autotask.patch(INVOICES, {"id": work.claim.autotask_id, "paidDate": work.target})
    except Rejected as error:
        only_put = error.status == NO_SUCH_VERB and not work.by_put
        if work.target is not None and not only_put:
            raise
        return clearing.try_the_other_way(work, error.texts[0] if error.texts else str(error))
    except AutotaskError as error:
        failure = failure_of(error)
        if not failure.maybe_applied:
            raise
        return replace(work, sent=True, unknown=True)
    return replace(work, sent=True)


def _verify(work: Work, store: Store, autotask: Autotask) -> Work:
    """K5: only what is read back counts; nothing else may have moved."""
    started_at = store.now()
    read_back = reading_of(autotask.get(INVOICES, work.claim.autotask_id), started_at)
    work = replace(work, read_back=read_back, calls=work.calls + 1)
    if read_back.paid_on == work.target:
        return replace(work, phase=Phase.SETTLE, outcome=AttemptOutcome.CONFIRMED)
    if work.target is None and not work.unknown and clearing.kept_the_mark(work):
        return clearing.try_the_other_way(work, work.refused_with)
    return work.failed(UNKNOWN if work.unknown else NOT_TAKEN)


def _settle(work: Work, store: Store, _: Autotask) -> Work:
    store.settle(work)
    return ended(work)


def _learn(work: Work, store: Store, _: Autotask) -> Work:
    store.learn(work)
    return ended(work)


def _fail_step(work: Work, store: Store, _: Autotask) -> Work:
    store.fail(work)
    return ended(work)


def _release(work: Work, store: Store, _: Autotask) -> Work:
    store.release(work)
    return ended(work)


def ended(work: Work) -> Work:
    """The work once its end is kept."""
    said = work.outcome or (AttemptOutcome.NOTHING_TO_DO if work.phase == Phase.SETTLE else "")
    return replace(work, phase=Phase.DONE, outcome=said)


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
