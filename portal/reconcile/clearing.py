"""Clearing a paid date, which Autotask does not document: by PATCH with null, then by PUT without it, then by hand (rule 5.5)."""

from dataclasses import replace
from typing import Any

from portal.autotask.wire import with_offset
from portal.reconcile.failures import NOT_TAKEN, Failure
from portal.reconcile.work import Phase, Work

NOT_CLEARED = "not_cleared"
NOT_CLEARED_BY_PATCH = "Autotask kept the paid date; the second way of clearing is tried."


def try_the_other_way(work: Work, said: str) -> Work:
    """The first way did not take: the second one, then a person (rule 5.5)."""
    if work.by_put and work.read_back is not None and work.read_back.paid_on in work.claim.marks.strays:
        return work.failed(NOT_TAKEN)  # it may have been cleared, and a late write of ours came after
    if work.by_put:
        return replace(work, refused_with=said).failed(replace(not_cleared(said), maybe_applied=work.sent))
    return replace(work, phase=Phase.BEGIN, by_put=True, refused_with=said, unknown=False)


def replaced(work: Work) -> dict[str, Any]:
    """The second way: all that can be written, as just read, with the paid date that is wished, or without one.

    PUT empties what is left out (docs/autotask.md, Clearing a paid date).
    """
    read = work.read_back or work.read
    assert read is not None
    kept = {"invoiceNumber": read.number, "webServiceDate": with_offset(read.web_service_date)}
    mark = {} if work.target is None else {"paidDate": work.target}
    return {"id": work.claim.autotask_id, **kept, **mark}


def kept_the_mark(work: Work) -> bool:
    """After a write, Autotask still shows what it showed before."""
    before, after = work.read, work.read_back
    return before is not None and after is not None and before.paid_on == after.paid_on


def not_cleared(said: str = "") -> Failure:
    """Neither way of clearing took."""
    reason = f" Autotask said: “{said[:300]}”" if said else ""
    sentence = (
        "Autotask keeps the paid date although the payment was deleted here. Open the invoice in Autotask, "
        f"remove its paid date by hand, then retry: the portal looks, and closes this by itself.{reason}"
    )
    return Failure(NOT_CLEARED, sentence, final=True)
